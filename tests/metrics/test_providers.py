from __future__ import annotations

import pytest

from lasso_trio.metrics import providers
from lasso_trio.providers.head import ChainCheck
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.prometheus import Table
from tests.metrics.scene import ALPHA, make_directory, routed_of

WHO = ("main", "ethereum", "alpha")


def read(directory: Directory, now: float = 100.0) -> Table:
    table = Table()
    list(providers.read_providers(lambda: directory, table, now))
    return table


def test_attempts_are_the_profiles_own(directory: Directory) -> None:
    tally = routed_of(directory).candidates[0].tally
    tally.attempts, tally.answered, tally.failures, tally.throttled, tally.seconds = 9, 6, 2, 1, 0.75
    table = read(directory)
    families = (providers.ATTEMPTS, providers.ANSWERED, providers.FAILED, providers.THROTTLED, providers.SECONDS)
    assert [table.value(family, *WHO, "http") for family in families] == [9, 6, 2, 1, 0.75]
    assert table.value(providers.ATTEMPTS, "side", "ethereum", "alpha", "http") == 0


def test_profiles_that_share_an_upstream_name_the_same_one(directory: Directory) -> None:
    table = read(directory)
    assert table.value(providers.INFO, *WHO, ALPHA) == 1
    assert table.value(providers.INFO, "side", "ethereum", "alpha", ALPHA) == 1


@pytest.mark.parametrize("what", ["breaker", "cordon", "chain"])
def test_who_may_not_be_called_is_not_available(directory: Directory, what: str) -> None:
    candidate = routed_of(directory).candidates[0]
    assert read(directory).value(providers.AVAILABLE, *WHO) == 1
    if what == "breaker":
        candidate.channel.breaker.quarantine("test", 100.0)
    elif what == "cordon":
        candidate.channel.cordon(out=True)
    else:
        candidate.head.check = ChainCheck.WRONG
    assert read(directory).value(providers.AVAILABLE, *WHO) == 0


def test_a_provider_is_available_by_any_of_its_transports(directory: Directory) -> None:
    http, ws = routed_of(directory).candidates[1:]
    assert not providers.available(ws, 100.0)  # nobody keeps its socket
    assert read(directory).value(providers.AVAILABLE, "main", "ethereum", "beta") == 1
    http.channel.cordon(out=True)
    assert read(directory).value(providers.AVAILABLE, "main", "ethereum", "beta") == 0


def test_lag_is_how_far_behind_and_never_how_far_ahead() -> None:
    directory = make_directory(providers=3)
    routed = routed_of(directory)
    assert read(directory).value(providers.LAG, *WHO) is None
    for name, height in {"alpha": 990, "beta": 1000, "p0": 1000, "p2": 1000, "p1": 1005}.items():
        head = next(c.head for c in routed.candidates if c.provider.id == name)
        head.tell(height, 199.9, 0.1)
    table = read(directory, 200.0)
    told = {name: table.value(providers.LAG, "main", "ethereum", name) for name in ("alpha", "beta", "p0", "p1")}
    assert told == {"alpha": 10, "beta": 0, "p0": 0, "p1": 0}
    assert (routed.heads.raw_lag("1:p1.example:0", 200.0) or 0) > 0
    assert table.value(providers.HEIGHT, *WHO) == 990
    assert table.value(providers.HEAD_AGE, *WHO) == pytest.approx(0.1)

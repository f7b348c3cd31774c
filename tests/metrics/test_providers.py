from __future__ import annotations

import pytest

from lasso_trio.metrics import providers
from lasso_trio.providers.head import ChainCheck
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.prometheus import Table
from tests.metrics.scene import ALPHA, routed_of

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


def test_lag_is_how_far_behind(directory: Directory) -> None:
    alpha, beta = routed_of(directory).candidates[:2]
    assert read(directory).value(providers.LAG, *WHO) is None
    alpha.head.tell(1000, 199.0, 0.1)
    beta.head.tell(1010, 199.0, 0.1)
    table = read(directory, 200.0)
    lags = {row[0][2]: row[1] for row in table.rows[providers.LAG] if row[0][0] == "main"}
    assert min(lags.values()) == 0
    assert table.value(providers.HEIGHT, *WHO) == 1000
    assert table.value(providers.HEAD_AGE, *WHO) == pytest.approx(1.0)

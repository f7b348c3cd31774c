from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from lasso_trio.devnet import Failure, Kind, Latency
from lasso_trio.loadtest.drive import drive
from lasso_trio.loadtest.order import Order
from lasso_trio.loadtest.outcome import OK, Asked
from lasso_trio.loadtest.tally import Tally
from tests.loadtest.conftest import Staged, order

FIFTY_MS = Latency.constant(50)


async def driven(stage: Staged, its: Order, **faults: object) -> Tally:
    staged, tally = stage(**faults), Tally()
    await drive(its, tally, lambda _: None, staged.pool(its))
    return tally


async def test_clients_call_again_as_soon_as_they_are_answered(
    stage: Staged, autojump_clock: trio.testing.MockClock
) -> None:
    tally = await driven(stage, order(calls=100, clients=10), latency=FIFTY_MS)
    assert tally.outcomes == {OK: 100}
    assert tally.seconds == pytest.approx(0.5)
    assert tally.latency.quantile(0.99) == pytest.approx(0.05, rel=0.03)


async def test_at_a_rate_calls_are_made_when_they_are_due(
    stage: Staged, autojump_clock: trio.testing.MockClock
) -> None:
    tally = await driven(stage, order(calls=21, clients=10, rate=10.0), latency=FIFTY_MS)
    assert tally.seconds == pytest.approx(2.05)
    assert tally.late_s == pytest.approx(0, abs=1e-6)


async def test_who_is_slower_than_the_rate_cannot_hide_it(
    stage: Staged, autojump_clock: trio.testing.MockClock
) -> None:
    tally = await driven(stage, order(calls=10, clients=1, rate=1_000.0), latency=FIFTY_MS)
    assert tally.slowest_s == pytest.approx(10 * 0.05 - 9 / 1_000)
    assert tally.late_s == pytest.approx(9 * 0.05 - 9 / 1_000)


@pytest.mark.parametrize("rate", [None, 100.0])
async def test_a_duration_ends_it(stage: Staged, rate: float | None, autojump_clock: trio.testing.MockClock) -> None:
    tally = await driven(stage, order(duration=1.0, clients=5, rate=rate), latency=FIFTY_MS)
    assert tally.calls == 100
    assert tally.seconds == pytest.approx(1.0, abs=0.051)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (Failure(Kind.HTTP, status=503), "HTTP 503"),
        (Failure(Kind.HANG), "timeout"),
        (Failure(Kind.RESET), "Disconnected eof"),
    ],
)
async def test_what_the_target_does_is_an_outcome_and_never_an_error(
    stage: Staged, failure: Failure, outcome: str, autojump_clock: trio.testing.MockClock
) -> None:
    tally = await driven(stage, order(calls=3, clients=1, timeout=2.0), failures=(failure,))
    assert [key.partition(" ")[0] for key in tally.outcomes] == [outcome.partition(" ")[0]]
    assert tally.failed == 3


async def test_large_answers_are_read_to_their_end(stage: Staged, autojump_clock: trio.testing.MockClock) -> None:
    its = order(calls=3, clients=1, method="devnet_blob", params="[1000000]")
    assert (await driven(stage, its)).outcomes == {OK: 3}


async def test_cancelled_it_keeps_what_was_done(stage: Staged, autojump_clock: trio.testing.MockClock) -> None:
    staged, tally, its = stage(latency=FIFTY_MS), Tally(), order(calls=1_000, clients=1)
    with trio.move_on_after(0.275):
        await drive(its, tally, lambda _: None, staged.pool(its))
    assert tally.calls == 5
    assert tally.seconds == pytest.approx(0.275)


async def test_progress_is_told_call_by_call(stage: Staged, autojump_clock: trio.testing.MockClock) -> None:
    told: list[int] = []
    its = order(calls=7, clients=3)
    await drive(its, Tally(), told.append, stage().pool(its))
    assert told == [1] * 7


async def test_each_body_is_judged_by_what_it_asks(
    stage: Staged, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    call, other = '{"id":"x","method":"eth_chainId"}', '{"id":2,"method":"eth_chainId"}'
    (tmp_path / "r").write_text(f"{call}\n[{call},{other}]\n")
    assert (await driven(stage, order(calls=4, clients=1, request=tmp_path / "r"))).outcomes == {OK: 4}


async def test_an_answer_to_another_question_is_no_answer(
    stage: Staged, autojump_clock: trio.testing.MockClock
) -> None:
    its = order(calls=2, clients=1)
    wants_another = attrs.evolve(its, asked=(Asked.of(b'{"id":9,"method":"a"}'),))
    assert (await driven(stage, wants_another)).outcomes == {"wrong id": 2}

"""What is good to know and could not be told: silence is no answer, and what is old is no knowledge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.devnet import Failure, Kind
from lasso_trio.providers.probe_schedule import ProbeStatus, Question

Build = Callable[..., Any]
Clock = trio.testing.MockClock
EXTRAS = ("eth_getBlockByNumber", "eth_syncing")
DEEP_S = 120.0


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.RESET])
async def test_after_one_silent_round_finality_goes_on(bench: Build, autojump_clock: Clock, kind: Kind) -> None:
    its = bench()
    await trio.sleep(100.0)
    its.set(failures=[Failure(kind, methods=EXTRAS)])
    await trio.sleep(DEEP_S)
    before = its.head.finalized
    its.set()
    await trio.sleep(DEEP_S + 10.0)
    assert its.head.finalized > before
    assert not its.prober.schedule.missing


async def test_silence_costs_a_round_one_wait_and_none_of_its_health(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    its.set(failures=[Failure(Kind.HANG, methods=EXTRAS)])
    started = trio.current_time()
    await its.prober.round()
    assert trio.current_time() - started == pytest.approx(5.0, abs=1.0)
    assert (its.prober.schedule.status, its.head.height) == (ProbeStatus.HEALTHY, 1000)
    assert its.prober.schedule.extras[0] is Question.SAFE


async def test_who_hangs_for_long_does_not_hold_the_chains_finality_back(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    await its.prober.round()
    assert (its.head.safe, its.head.finalized) == (968, 936)
    its.set(failures=[Failure(Kind.HANG, methods=EXTRAS)])
    its.head.syncing = True
    for _ in range(8):
        its.prober.schedule.look_deep()
        await its.prober.round()
    assert (its.head.safe, its.head.finalized, its.head.syncing) == (None, None, False)


async def test_an_error_now_and_then_is_not_missing_either(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    for status in (500, 200, 500):
        failures = [] if status == 200 else [Failure(Kind.HTTP, status=status, methods=EXTRAS)]
        its.set(failures=failures)
        its.prober.schedule.look_deep()
        await its.prober.round()
    assert not its.prober.schedule.missing
    assert its.head.finalized == 936
    its.prober.schedule.look_deep()
    await its.prober.round()
    assert its.prober.schedule.missing == {Question.LATEST, Question.SAFE, Question.FINALIZED, Question.SYNCING}
    assert its.head.finalized is None


async def test_who_says_that_it_has_no_finality_has_none(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    await its.prober.round()
    with capture_logs():
        its.set(failures=[Failure(Kind.RPC, code=-32602, message="invalid block tag", methods=EXTRAS)])
        its.prober.schedule.look_deep()
        await its.prober.round()
    assert Question.FINALIZED in its.prober.schedule.missing
    assert its.head.finalized is None

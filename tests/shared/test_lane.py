from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.shared.lane import LONGEST_S, Lane
from lasso_trio.shared.line import EngineFault
from tests.shared.engine import FakeEngine


async def ask(lane: Lane) -> str:
    try:
        await lane.ask(("TIME",), timeout_s=0.1)
    except EngineFault as fault:
        return fault.reason
    return "ok"


async def test_it_dials_when_it_is_first_asked_and_keeps_its_connection(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    lane = engine.lane()
    assert lane.up is None

    async def work() -> None:
        assert [await ask(lane) for _ in range(3)] == ["ok"] * 3

    await lane.run(work)
    assert (engine.dials, lane.up, lane.operations, lane.failures) == (1, True, 3, 0)
    assert lane.seconds == pytest.approx(0.003)


async def test_after_a_time_out_it_dials_anew(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    lane = engine.lane()

    async def work() -> None:
        await ask(lane)
        engine.takes_s = 1.0
        assert await ask(lane) == "timeout"
        engine.takes_s = 0.001
        assert await ask(lane) == "ok"

    await lane.run(work)
    assert engine.dials == 2


async def test_who_is_tried_several_times_must_be_in_time_each_time(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    lane = engine.lane()

    async def work() -> None:
        await lane.ask(("TIME",), timeout_s=0.1, times=8, within_s=0.005)
        assert (len(engine.asked), lane.operations, lane.up) == (8, 1, True)
        engine.takes_s = 0.006
        with pytest.raises(EngineFault, match="slow: an answer took longer than 5 ms"):
            await lane.ask(("TIME",), timeout_s=0.1, times=8, within_s=0.005)
        assert (len(engine.asked), lane.up, lane.reason) == (9, False, "slow")

    await lane.run(work)
    assert engine.dials == 1  # an answer that is only late is heard, and leaves nothing behind


async def test_each_change_is_said_once(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine(unreachable=True)
    lane = engine.lane()

    async def work() -> None:
        for _ in range(5):
            assert await ask(lane) == "unreachable"
        engine.unreachable = False
        for _ in range(3):
            await ask(lane)
        engine.fault = EngineFault("full", "OOM")
        await ask(lane)
        await ask(lane)
        engine.fault = EngineFault("refused", "READONLY")
        await ask(lane)

    with capture_logs() as logs:
        await lane.run(work)
    said = [(line["event"], line.get("reason")) for line in logs]
    downs = [("shared.down", reason) for reason in ("unreachable", "full", "refused")]
    assert said == [downs[0], ("shared.up", None), *downs[1:]]
    assert lane.failures == 8


async def test_who_fails_again_waits_longer_up_to_a_ceiling_and_health_is_forgotten_late(
    autojump_clock: trio.testing.MockClock,
) -> None:
    engine = FakeEngine(unreachable=True)
    lane = engine.lane()

    async def work() -> None:
        delays = []
        for _ in range(12):
            await ask(lane)
            delays.append(lane.delay_s())
        assert delays[0] <= 0.5
        assert LONGEST_S / 2 <= delays[-1] <= LONGEST_S
        engine.unreachable = False
        await ask(lane)
        lane.failed(EngineFault("slow"))  # at once: it flaps
        assert lane.delay_s() >= LONGEST_S / 2
        await ask(lane)
        await trio.sleep(60)
        lane.failed(EngineFault("slow"))
        assert lane.delay_s() <= 0.5

    await lane.run(work)


async def test_asked_while_it_does_not_run_it_faults() -> None:
    assert await ask(FakeEngine().lane()) == "unreachable"

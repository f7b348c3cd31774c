from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from lasso_trio.routing.lease import BankFault, Lease, Report
from lasso_trio.shared.keys import Keys
from lasso_trio.shared.line import Command, EngineFault
from lasso_trio.shared.redis_bank import SCRIPT, NearerBank, RedisBank
from tests.shared.engine import FakeEngine

REPORTS = [Report("p", "x", 10, 5, 1.0, 2.0), Report("p", "y", 20, 6, 3.0, 4.0)]


NAN = [b"nan", b"1", b"4", b"1"]
ZERO = [b"4", b"1", b"4", b"0"]
MORE = [b"4", b"1.5", b"4", b"1"]


async def settled(engine: FakeEngine) -> Any:  # noqa: ANN401
    lane, told = engine.lane("limits"), list[Any]()

    async def work() -> None:
        try:
            told.append(await RedisBank(lane, Keys("lasso"), "me").settle(REPORTS))
        except BankFault as fault:
            told.append(fault)

    await lane.run(work)
    return told[0]


async def test_all_reports_are_one_command(autojump_clock: trio.testing.MockClock) -> None:
    commands: list[Command] = []

    def act(command: Command) -> list[bytes]:
        commands.append(command)
        return [b"4", b"0.5", b"-3.5", b"1"]

    assert await settled(FakeEngine(custom=act)) == [Lease(4.0, 0.5), Lease(-3.5, 1.0)]
    name, script, keys, *rest = commands[0]
    assert (name, script, keys, rest[2]) == ("EVAL", SCRIPT, 2, "me")
    assert rest[5:] == [10, 5, 1.0, 2.0, 20, 6, 3.0, 4.0]


@pytest.mark.parametrize("told", [[], [b"1"], [b"a", b"b", b"c", b"d"], None, [None] * 4, NAN, ZERO, MORE])
async def test_what_is_no_answer_is_a_fault(told: list[Any] | None, autojump_clock: trio.testing.MockClock) -> None:
    assert isinstance(await settled(FakeEngine(custom=lambda _: told)), BankFault)


async def test_an_engine_that_fails_is_a_fault(autojump_clock: trio.testing.MockClock) -> None:
    assert "full" in str(await settled(FakeEngine(fault=EngineFault("full"))))


async def test_after_a_fault_it_rests_and_the_nodes_own_bank_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    class Node:
        async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
            await trio.lowlevel.checkpoint()
            return [Lease(0.0, 0.5) for _ in reports]

    engine = FakeEngine(custom=lambda _: [b"4", b"1", b"4", b"1"])
    lane = engine.lane("limits")
    bank = NearerBank(RedisBank(lane, Keys("lasso"), "me"), Node())

    async def work() -> None:
        assert (await bank.settle(REPORTS))[0] == Lease(4.0, 1.0)
        engine.fault = EngineFault("full")
        for _ in range(10):
            assert (await bank.settle(REPORTS))[0] == Lease(0.0, 0.5)
        assert lane.operations == 2
        engine.fault = None
        await trio.sleep(1)
        assert (await bank.settle(REPORTS))[0] == Lease(4.0, 1.0)

    await lane.run(work)

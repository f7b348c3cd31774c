from __future__ import annotations

from typing import Any

import pytest
import trio

from lasso_trio.routing.lease import BankFault, Lease, Report
from lasso_trio.shared.keys import Keys
from lasso_trio.shared.line import Command, EngineFault
from lasso_trio.shared.redis_bank import SCRIPT, RedisBank
from tests.shared.engine import FakeEngine

REPORTS = [Report("p", "x", 10, 5, 1.0, 2.0), Report("p", "y", 20, 6, 3.0, 4.0)]


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


@pytest.mark.parametrize("told", [[], [b"1"], [b"a", b"b", b"c", b"d"], None, [None] * 4])
async def test_what_is_no_answer_is_a_fault(told: list[Any] | None, autojump_clock: trio.testing.MockClock) -> None:
    assert isinstance(await settled(FakeEngine(custom=lambda _: told)), BankFault)


async def test_an_engine_that_fails_is_a_fault(autojump_clock: trio.testing.MockClock) -> None:
    assert "full" in str(await settled(FakeEngine(fault=EngineFault("full"))))

"""Who hangs is found, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from lasso_trio.workers import pulse
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.pulse import EVERY_S, MISSES, PATIENCE_S, Pulse
from lasso_trio.workers.topics import BusFault
from lasso_trio.workers.worker import tell_ready
from tests.workers.crew import Crew, crew_of

LONGEST_S = EVERY_S + MISSES * PATIENCE_S
"""From the moment that it hangs."""


class Stuck:
    """Workers whose loop stands still until some time."""

    def __init__(self) -> None:
        self.until: dict[int, float] = {}
        self.asked = 0

    def prepare(self, bus: Bus) -> None:
        async def act(sender: int, payload: bytes) -> bytes:
            self.asked += 1
            await trio.sleep_until(max(trio.current_time(), self.until.get(bus.worker, 0)))
            return b""

        bus.answer(pulse.PULSE, act)


@asynccontextmanager
async def watched(stuck: Stuck) -> AsyncIterator[tuple[Crew, list[int]]]:
    found: list[int] = []
    async with crew_of(2, stuck.prepare) as crew:
        for bus in crew.buses.values():
            tell_ready(bus)
        await crew.settle()
        crew.nursery.start_soon(Pulse(crew.switch, found.append).watch)
        yield crew, found


async def test_a_worker_that_stands_still_is_found_within_a_dozen_seconds(autojump_clock: MockClock) -> None:
    stuck = Stuck()
    async with watched(stuck) as (_, found):
        await trio.sleep(60)
        assert found == []
        stuck.until[1] = trio.current_time() + 1000
        await trio.sleep(MISSES * PATIENCE_S - 0.1)
        assert found == []
        await trio.sleep(EVERY_S + 0.2)
        assert found == [1]
    assert LONGEST_S <= 12


async def test_a_worker_that_was_late_for_less_is_left_alone(autojump_clock: MockClock) -> None:
    stuck = Stuck()
    async with watched(stuck) as (_, found):
        for _ in range(3):
            stuck.until[1] = trio.current_time() + (MISSES - 1) * PATIENCE_S
            await trio.sleep(30)
        assert found == []


async def test_the_others_are_asked_as_before_while_one_hangs(autojump_clock: MockClock) -> None:
    stuck = Stuck()
    async with watched(stuck) as (_, found):
        stuck.until[0] = stuck.until[1] = 1e9
        await trio.sleep(LONGEST_S + 1)
        assert sorted(found) == [0, 1]


async def test_a_worker_that_ended_is_not_found_and_its_successor_begins_anew(autojump_clock: MockClock) -> None:
    stuck = Stuck()
    async with watched(stuck) as (crew, found):
        stuck.until[1] = 1e9
        await trio.sleep(MISSES * PATIENCE_S - 1)
        await crew.kill(1)
        stuck.until.clear()
        await trio.sleep(3)
        tell_ready(await crew.join(1))
        await trio.sleep(60)
        assert found == []


async def test_a_refusal_is_no_more_than_one_question_unanswered(autojump_clock: MockClock) -> None:
    class Refusing:
        ready = (0,)

        async def ask(self, *_: object) -> bytes:
            raise BusFault("no room")

    found: list[int] = []
    with trio.move_on_after((MISSES - 1) * EVERY_S - 0.1):
        await Pulse(Refusing(), found.append).watch()  # type: ignore[arg-type]
    assert found == []


async def test_a_worker_answers_at_once(autojump_clock: MockClock) -> None:
    async with crew_of(1, pulse.give) as crew:
        began = trio.current_time()
        assert await crew.switch.ask(pulse.PULSE, b"", 0, 1) == b""
        assert trio.current_time() == began

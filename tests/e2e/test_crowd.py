"""Eleven thousand clients at once on one process: ten thousand that wait between calls, a thousand that call."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Final, TypeVar

import attrs
import pytest
import trio

from tests.e2e import toolbox
from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.conftest import Serve
from tests.e2e.fleet import Fleet
from tests.e2e.history import History
from tests.e2e.load import Question, questions

IDLE: Final = 10_000
ACTIVE: Final = 1_000
CALLS: Final = 5
DESCRIPTORS: Final = IDLE + ACTIVE + 2_000
SOURCES: Final = tuple(f"127.0.0.{n}" for n in range(2, 10))
"""Ten thousand ports of one address are a third of all that a kernel gives out; other tests have used some."""
PATH: Final = "/rpc/load-balanced/anvil"
AT_ONCE: Final = 100

Item = TypeVar("Item")


@pytest.fixture
def many_descriptors() -> None:
    """For this process and those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        toolbox.lacking(f"a process may have {hard} open files here, {IDLE + ACTIVE} clients need {DESCRIPTORS}")
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


@attrs.define(eq=False)
class Crowd:
    """Clients of one port. `wrong`: what went wrong, in words."""

    port: int
    question: Question
    callers: list[Caller] = attrs.field(factory=list)
    right: int = 0
    wrong: list[str] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)

    async def grow(self, more: int) -> None:
        """`more` connections, each of which makes a call."""
        await self._each(range(len(self.callers), len(self.callers) + more), self._arrive, AT_ONCE)

    async def call(self, callers: list[Caller], times: int, at_once: int) -> None:
        async def several(caller: Caller) -> None:
            for _ in range(times):
                await self._call(caller)

        await self._each(callers, several, at_once)

    async def _arrive(self, number: int) -> None:
        caller = await Caller.connect(self.port, PATH, SOURCES[number % len(SOURCES)])
        self.callers.append(caller)
        await self._call(caller)

    async def _call(self, caller: Caller) -> None:
        number = next(self._numbers)
        answer = await caller.call(self.question.ask % number)
        if answer.status == 200 and answer.body == self.question.answer % number:
            self.right += 1
        else:
            self.wrong.append(f"{answer.status} {answer.body[:200]!r}")

    async def _each(self, items: Sequence[Item], do: Callable[[Item], Awaitable[None]], at_once: int) -> None:
        """`do` for every item, never for more than `at_once` together."""
        waiting = iter(items)

        async def work() -> None:
            for item in waiting:
                try:
                    await do(item)
                except (OSError, WrongAnswer) as problem:
                    self.wrong.append(repr(problem))

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(work)

    def close(self) -> None:
        for caller in self.callers:
            caller.close()


async def test_ten_thousand_idle_and_a_thousand_active_clients_are_held(
    fleet: Fleet, history: History, serve: Serve, many_descriptors: None, say: Callable[[str], None]
) -> None:
    lasso = serve(fleet.urls)
    crowd = Crowd(lasso.port, questions(fleet.first, history)[5])
    alone = lasso.resident_mib()
    try:
        await crowd.grow(IDLE)
        idle = lasso.resident_mib()
        await crowd.call(crowd.callers, 1, at_once=AT_ONCE)  # a slow machine may have kept the first waiting too long
        await crowd.grow(ACTIVE)
        await crowd.call(crowd.callers[-ACTIVE:], CALLS, at_once=ACTIVE)
        busy = lasso.resident_mib()
        await crowd.call(crowd.callers, 1, at_once=AT_ONCE)  # all of them are still there
        lasso.stop()  # which they do not hinder
    finally:
        crowd.close()
    assert crowd.wrong == []
    assert crowd.right == 3 * IDLE + ACTIVE * (2 + CALLS)
    figures = f"{alone:.0f} MiB alone, {idle:.0f} with {IDLE} idle clients, {busy:.0f} with {ACTIVE} active besides"
    say(f"resident: {figures}")
    assert (idle - alone) * 1024 < 16 * IDLE, "more than 16 KiB for an idle client"

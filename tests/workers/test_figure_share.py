"""Workers that tell each other what they counted, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.usage import Usage
from lasso_trio.workers import figure_share
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.figure_share import EVERY_S, FRESH_S, PATIENCE_S, FigureShare
from tests.dashboard.boards import directory_of
from tests.workers.crew import Crew, crew_of


class Workers:
    """Each with a directory of its own."""

    def __init__(self) -> None:
        self.shares: dict[int, FigureShare] = {}
        self.directories: dict[int, Directory] = {}

    def prepare(self, bus: Bus) -> None:
        directory = self.directories[bus.worker] = directory_of()
        self.shares[bus.worker] = FigureShare(bus, lambda: directory, lambda _: Usage(100 + bus.worker))

    def call(self, worker: int, times: int = 1, method: str = "eth_call") -> None:
        (routed,) = self.directories[worker].chains()
        routed.counts.calls += times
        routed.candidates[0].tally.attempts += times
        for _ in range(times):
            routed.candidates[0].channel.succeeded(method, 0.01, trio.current_time())

    def shown(self, worker: int) -> tuple[int, int, int]:
        """Calls, attempts and answers, as that worker shows them."""
        return figures_of(self.shares[worker].directory())


def figures_of(directory: Directory) -> tuple[int, int, int]:
    (routed,) = directory.chains()
    candidate = routed.candidates[0]
    answers = sum(row.successes_total for row in candidate.channel.evidence.values())
    return routed.counts.calls, candidate.tally.attempts, answers


@asynccontextmanager
async def working(count: int) -> AsyncIterator[tuple[Crew, Workers]]:
    workers = Workers()
    async with crew_of(count, workers.prepare) as crew:
        for share in workers.shares.values():
            crew.nursery.start_soon(share.run)
        yield crew, workers


async def test_each_shows_the_calls_of_all_a_second_later(autojump_clock: MockClock) -> None:
    async with working(3) as (_, workers):
        for worker in range(3):
            workers.call(worker, worker + 1)
        await trio.sleep(EVERY_S + 0.3)
        assert [workers.shown(worker) for worker in range(3)] == [(6, 6, 6)] * 3
        workers.call(2, 4)
        await trio.sleep(EVERY_S + 0.3)
        assert [workers.shown(worker) for worker in range(3)] == [(10, 10, 10)] * 3


async def test_who_asks_is_told_at_once(autojump_clock: MockClock) -> None:
    async with working(2) as (_, workers):
        workers.call(1, 5)
        began = trio.current_time()
        assert figures_of(await workers.shares[0].fresh()) == (5, 5, 5)
        assert trio.current_time() == began


async def test_who_hangs_is_waited_for_a_second(autojump_clock: MockClock) -> None:
    async with working(2) as (_, workers):
        workers.call(1, 5)
        await workers.shares[0].fresh()
        await trio.sleep(FRESH_S)
        await workers.shares[1]._turn.acquire()
        began = trio.current_time()
        assert figures_of(await workers.shares[0].fresh()) == (5, 5, 5)
        assert trio.current_time() - began == pytest.approx(PATIENCE_S)
        workers.shares[1]._turn.release()


async def test_many_who_ask_at_once_are_one_question(autojump_clock: MockClock) -> None:
    async with working(2) as (_, workers):
        workers.call(1, 5)
        turns = workers.shares[1]._turns
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(workers.shares[0].fresh)
        assert workers.shares[1]._turns == turns + 1


async def test_a_killed_workers_calls_stay_and_its_successor_hears_of_them(autojump_clock: MockClock) -> None:
    async with working(2) as (crew, workers):
        workers.call(0, 5)
        workers.call(1, 7)
        await trio.sleep(2 * EVERY_S)
        await crew.kill(1)
        await trio.sleep(EVERY_S)
        assert workers.shown(0) == (12, 12, 12)
        await crew.join(1)
        crew.nursery.start_soon(workers.shares[1].run)
        workers.call(1, 1)
        await trio.sleep(2 * EVERY_S)
        assert [workers.shown(worker) for worker in (0, 1)] == [(13, 13, 13)] * 2


async def test_only_what_is_new_is_told(autojump_clock: MockClock) -> None:
    async with working(2) as (_, workers):
        share = workers.shares[0]
        workers.call(0)
        first = await share._news()
        assert (len(first.chains), len(first.candidates), len(first.rows)) == (1, 1, 1)
        again = await share._news()
        assert (again.chains, again.candidates, again.rows) == ([], [], [])


async def test_a_large_node_is_told_in_turns_and_nobody_starves(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_share, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(figure_share, "SLICE", 1)
    async with working(1) as (_, workers):
        told = list[str]()
        for _ in range(3):
            for number in range(6):
                workers.call(0, method=f"eth_{number}")
            told += [row.method for row in (await workers.shares[0]._news()).rows]
        assert sorted(told) == [f"eth_{number}" for number in range(6)]


async def test_a_copy_is_kept_for_a_moment_and_not_beyond_a_reload(autojump_clock: MockClock) -> None:
    async with working(1) as (_, workers):
        share = workers.shares[0]
        first = share.directory()
        assert share.directory() is first
        await trio.sleep(0.3)
        assert (second := share.directory()) is not first
        other = directory_of()
        share.serving = lambda: other
        assert share.directory() is not second


async def test_each_workers_process_is_known(autojump_clock: MockClock) -> None:
    async with working(2) as (_, workers):
        await trio.sleep(2 * EVERY_S)
        assert {worker: usage.pid for worker, usage in workers.shares[0].usages().items()} == {0: 100, 1: 101}


async def test_ones_own_process_is_not_read_for_every_line_of_a_page(autojump_clock: MockClock) -> None:
    async with working(1) as (_, workers):
        share, read = workers.shares[0], list[float]()

        def usage(now: float) -> Usage:
            read.append(now)
            return Usage(len(read))

        share.usage = usage
        assert [share.usages()[0].pid for _ in range(5)] == [1] * 5
        await trio.sleep(0.3)
        assert share.usages()[0].pid == 2

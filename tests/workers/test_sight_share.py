"""Calls and issues of all workers at the dashboard of one, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from lasso_trio.dashboard.activity import Seen
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.issues import FAILOVER
from lasso_trio.routing.outcome import Raced
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.sight_share import EVERY_S, SightShare
from tests.dashboard.boards import board_of
from tests.workers.crew import Crew, crew_of


class Door:
    """What tells of finished calls."""

    def record(self, *_: object) -> None:
        """Nobody listens."""


class Workers:
    def __init__(self) -> None:
        self.boards: dict[int, Board] = {}
        self.viewers = dict.fromkeys(range(3), 0)
        self.shares: list[SightShare] = []

    def prepare(self, bus: Bus) -> None:
        board = self.boards[bus.worker] = board_of()
        board.doors = ((Door(), "http"),)
        board.viewers = lambda: self.viewers[bus.worker]
        self.shares.append(SightShare(bus, board))

    def see(self, worker: int, method: str, *raced: Raced) -> None:
        activity = self.boards[worker].activity
        activity.seen += 1
        said = ("public", "eth", method, "fastest", "alpha", "http", "http", "", 0.01, 0, 0, False, "", "r", None)
        activity.calls.append(Seen(activity.seen, 1, *said, raced))

    def methods(self, worker: int) -> list[tuple[str, int | None]]:
        rows = self.boards[worker].activity.rows("public", 50)
        return [(row["method"], row.get("worker")) for row in rows]


@asynccontextmanager
async def working(count: int = 2) -> AsyncIterator[tuple[Crew, Workers]]:
    workers = Workers()
    async with crew_of(count, workers.prepare) as crew:
        for share in workers.shares:
            crew.nursery.start_soon(share.run)
        yield crew, workers


async def turns(count: int = 1) -> None:
    await trio.sleep(count * EVERY_S + 0.1)


async def test_while_somebody_looks_at_one_worker_all_watch_and_tell(autojump_clock: MockClock) -> None:
    async with working() as (_, workers):
        workers.viewers[0] = 1
        await turns(2)
        assert workers.boards[1].activity.watching
        raced = Raced("alpha", "http", False, 0.0, 0.01, "won")
        workers.see(0, "eth_here")
        workers.see(1, "eth_there", raced)
        await turns(2)
        assert workers.methods(0) == [("eth_here", None), ("eth_there", 1)]
        assert [race["method"] for race in workers.boards[0].activity.recent_races("public")] == ["eth_there"]
        seqs = [row["seq"] for row in workers.boards[0].activity.rows("public", 50)]
        assert seqs == sorted(set(seqs))
        assert workers.methods(1) == [("eth_there", None)]
        workers.viewers[0] = 0
        await turns(2)
        assert not workers.boards[1].activity.watching


async def test_what_was_heard_is_not_told_on(autojump_clock: MockClock) -> None:
    async with working() as (_, workers):
        workers.viewers[0] = workers.viewers[1] = 1
        await turns(2)
        workers.see(1, "eth_once")
        await turns(5)
        assert workers.methods(0) == [("eth_once", 1)]
        assert workers.methods(1) == [("eth_once", None)]


async def test_a_worker_that_joins_is_told_that_somebody_looks_and_one_that_left_looks_no_more(
    autojump_clock: MockClock,
) -> None:
    async with working() as (crew, workers):
        workers.viewers[0] = 1
        await turns(2)
        await crew.join(2)
        crew.nursery.start_soon(workers.shares[-1].run)
        await turns()
        assert workers.boards[2].activity.watching
        await crew.kill(0)
        await turns()
        assert not workers.boards[2].activity.watching


async def test_issues_are_told_whether_anybody_looks_or_not(autojump_clock: MockClock) -> None:
    async with working() as (_, workers):
        workers.boards[1].issues.add("breaker.changed", "warning", {"instance": "1:alpha:0", "after": "open"})
        workers.boards[1].issues.add(FAILOVER, "info", {"count": 2})  # which each collector finds by itself
        await turns(3)
        (row,) = workers.boards[0].issues.rows(None, 10)
        assert (row["event"], row["instance"], row["worker"]) == ("breaker.changed", "1:alpha:0", 1)
        assert [row["event"] for row in workers.boards[1].issues.rows(None, 10)] == ["breaker.changed", FAILOVER]
        assert "worker" not in workers.boards[1].issues.rows(None, 10)[0]

"""The dashboard of one node, put together: what it knows, who looks on, and where it is reached.

    run ─┬─ ticker     a snapshot a second, only while somebody looks
         └─ collector  what the counters grew by, every five seconds

The composition root makes it, mounts `pages.serve` into a web application, supervises `run`, and closes it when the
node begins to drain: its streams would never end by themselves.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn, Self

import attrs
import trio

from lasso_trio.dashboard.access import Access
from lasso_trio.dashboard.assets import shipped
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.feed import Feed
from lasso_trio.dashboard.gate import Gate
from lasso_trio.dashboard.issues import FAILOVER, IssueLog
from lasso_trio.dashboard.pages import Pages
from lasso_trio.dashboard.series import STEP_S
from lasso_trio.dashboard.shared_pages import encode
from lasso_trio.dashboard.snapshot import snapshot
from lasso_trio.routing.probers import look_at
from lasso_trio.routing.routed_chain import RoutedChain


@attrs.define(eq=False)
class Dashboard:
    board: Board
    feed: Feed
    pages: Pages

    @classmethod
    def of(cls, board: Board) -> Self:
        async def build(profile: str, tick: int) -> bytes | None:
            look_at(board.directory(), trio.current_time())
            found = board.whole.directory().find(profile)
            return None if found is None else encode(await snapshot(board, found, tick))

        feed = Feed(build, on_first=lambda: board.activity.watch(board.doors), on_none=board.activity.leave)
        board.viewers = lambda: len(feed.viewers)
        board.collector.on_failovers = partial(_tell_failovers, board.issues)
        assets = shipped()
        return cls(board, feed, Pages(board, feed, Gate(Access.of(board.settings), board.settings, assets), assets))

    async def run(self) -> None:
        """Service, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.feed.run, name="dashboard ticker")
            nursery.start_soon(self._collect, name="dashboard collector")

    def close(self) -> None:
        """The node drains: every viewer is told, and its stream ends."""
        self.feed.close()

    async def _collect(self) -> NoReturn:
        board = self.board
        with board.issues.listening():
            while True:
                directory, now = board.whole.directory(), trio.current_time()
                for _ in board.collector.round(directory, now, board.wall()):
                    await trio.lowlevel.checkpoint()
                await trio.sleep(STEP_S)


def _tell_failovers(issues: IssueLog, routed: RoutedChain, count: int) -> None:
    issues.add(FAILOVER, "info", {"profile": routed.profile.slug, "chain": routed.chain.key, "count": count})

from __future__ import annotations

import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.dashboard.dashboard import Dashboard
from tests.dashboard.boards import answered, board_of, routed_of


async def test_it_collects_while_nobody_looks(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dashboard = Dashboard.of(board_of())
    nursery.start_soon(dashboard.run)
    answered(dashboard.board, "alpha:http", 5, 0.02, now=trio.current_time())
    routed_of(dashboard.board).counts.failovers = 2
    await trio.sleep(6)
    assert dashboard.board.collector.chains
    (issue,) = dashboard.board.issues.kept
    assert issue.text == "2 failovers of public/eth within 5 s"
    assert dashboard.feed.tick == 0


async def test_calls_are_watched_only_while_somebody_looks(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    class Door:
        def record(self, *_: object) -> None: ...

    board, door = board_of(), Door()
    board.doors = ((door, "http"),)  # type: ignore[assignment]
    dashboard = Dashboard.of(board)
    nursery.start_soon(dashboard.run)
    with dashboard.feed.viewing("public"):
        assert board.activity.watching
        assert board.viewers() == 1
        await trio.sleep(2.5)
        assert dashboard.feed.tick == 3
    assert not board.activity.watching


async def test_who_looks_keeps_the_probes_going(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dashboard = Dashboard.of(board_of())
    seen = next(iter(dashboard.board.directory().chains())).counts
    nursery.start_soon(dashboard.run)
    await trio.sleep(5)
    assert seen.elsewhere == 0  # it stands for a worker that does not probe
    with dashboard.feed.viewing("public"):
        await trio.sleep(2.5)
        assert seen.elsewhere == 3


async def test_it_listens_to_the_log_while_it_runs() -> None:
    dashboard = Dashboard.of(board_of())
    before = list(structlog.get_config()["processors"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dashboard.run)
        await wait_all_tasks_blocked()
        assert len(structlog.get_config()["processors"]) == len(before) + 1
        nursery.cancel_scope.cancel()
    assert structlog.get_config()["processors"] == before


async def test_a_profile_that_is_gone_has_no_snapshot() -> None:
    dashboard = Dashboard.of(board_of())
    assert await dashboard.feed.build("nope", 1) is None
    assert b'"tick":1' in (await dashboard.feed.build("public", 1) or b"")


async def test_when_the_node_drains_it_is_closed() -> None:
    dashboard = Dashboard.of(board_of())
    dashboard.close()
    assert dashboard.feed.full

from __future__ import annotations

import os

import pytest
import trio

from lasso_trio.dashboard.system_view import HINT, system_page, system_summary
from lasso_trio.server.whole import Alone
from lasso_trio.supervision import supervise
from lasso_trio.telemetry.usage import Usage
from tests.dashboard.boards import board_of


async def test_the_page_says_what_the_process_uses_and_what_runs_in_it(nursery: trio.Nursery) -> None:
    board = board_of()
    await nursery.start(
        lambda task_status: supervise(
            "a service", trio.sleep_forever, registry=board.supervisor, task_status=task_status
        )
    )
    board.lag.record(0.004, trio.current_time())
    board.connections, board.viewers = (lambda: (7, 2)), lambda: 3
    page = system_page(board, trio.current_time())
    assert (page["enabled"], page["connections"], page["in_flight"], page["viewers"]) == (True, 7, 2, 3)
    assert page["loop"]["lag_ms"] == 4.0
    assert page["loop"]["busy_percent"] == 0.0
    board.loop.spent = lambda: 0.3
    board.loop._last = (trio.current_time() - 2.0, 0.1)
    assert system_page(board, trio.current_time())["loop"]["busy_percent"] == pytest.approx(10.0, rel=0.05)
    assert page["memory_mb"] > 1
    assert page["tasks"] >= 3
    assert "a service" in str(page["tree"])
    assert "'state': 'running'" in str(page["tree"])


async def test_the_summary_is_small() -> None:
    row = system_summary(board_of(), trio.current_time())
    assert row is not None
    assert set(row) == {"cpu_percent", "loop_busy_percent", "memory_mb", "loop_lag_ms", "loop_lag_p99_ms", "tasks"}


async def test_when_the_collection_is_off_there_is_nothing_to_see() -> None:
    board = board_of(vm_metrics=False)
    assert system_summary(board, 0.0) is None
    assert system_page(board, 0.0) == {"enabled": False, "hint": HINT}


class TwoWorkers(Alone):
    def usages(self) -> dict[int, Usage]:
        own = Usage(os.getpid(), cpu_percent=10, busy_percent=5, memory_mb=50, lag_ms=1, tasks=3, connections=2)
        other = Usage(1, cpu_percent=20, busy_percent=9, memory_mb=60, lag_ms=4, tasks=4, connections=5, requests=1)
        return {0: other, 1: own}


async def test_of_several_workers_the_sums_are_shown_and_a_line_for_each() -> None:
    board = board_of()
    board.whole = TwoWorkers(board.directory)
    page = system_page(board, trio.current_time())
    assert (page["cpu_percent"], page["memory_mb"], page["tasks"]) == (30, 110, 7)
    assert (page["connections"], page["in_flight"], page["worker"]) == (7, 1, 1)
    assert [(row["worker"], row["pid"], row["cpu_percent"]) for row in page["workers"]] == [
        (0, 1, 20),
        (1, os.getpid(), 10),
    ]
    summary = system_summary(board, trio.current_time())
    assert summary is not None
    assert (summary["cpu_percent"], summary["loop_busy_percent"], summary["loop_lag_ms"]) == (30, 9, 4)
    assert summary["workers"] == 2

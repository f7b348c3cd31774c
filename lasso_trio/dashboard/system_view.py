"""The process itself: what it uses, how late its loop is, and what runs in it. Reading, inside `trio.run`.

With `LASSO_VM_METRICS_ENABLED=false` nothing is read and nothing shown.
"""

from __future__ import annotations

from typing import Any, Final

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.task_tree import TaskTree, root_task
from lasso_trio.telemetry.node import memory_mib, task_figures

Row = dict[str, Any]
HINT: Final = "set LASSO_VM_METRICS_ENABLED=true"


def system_summary(board: Board, now: float) -> Row | None:
    """What each snapshot has of it."""
    if not board.settings.vm_metrics:
        return None
    living, _ = task_figures()
    return {
        "cpu_percent": board.cpu.percent(now),
        "loop_busy_percent": board.loop.percent(now),
        "memory_mb": memory_mib(),
        "loop_lag_ms": _ms(board.lag.last),
        "loop_lag_p99_ms": _ms(board.lag.p99),
        "tasks": living,
    }


def system_page(board: Board, now: float) -> Row:
    if not board.settings.vm_metrics:
        return {"enabled": False, "hint": HINT}
    living, runnable = task_figures()
    connections, in_flight = board.connections()
    return {
        "enabled": True,
        "cpu_percent": board.cpu.percent(now),
        "memory_mb": memory_mib(),
        "uptime_s": int(board.node.uptime_s(now)),
        "loop": {**_loop(board), "busy_percent": board.loop.percent(now)},
        "tasks": living,
        "runnable": runnable,
        "connections": connections,
        "in_flight": in_flight,
        "viewers": board.viewers(),
        "restarts_total": board.supervisor.restarts,
        "series_kept": sum(map(len, (board.collector.chains, board.collector.channels, board.collector.methods))),
        **_tree(board, now),
    }


def _loop(board: Board) -> Row:
    lag = board.lag
    return {
        "lag_ms": _ms(lag.last),
        "p99_ms": _ms(lag.p99),
        "max_ms": _ms(lag.max),
        "worst_ms": _ms(lag.worst),
        "samples": lag.samples,
    }


def _tree(board: Board, now: float) -> Row:
    root = root_task()
    walk = TaskTree({child.name: child for child in board.supervisor.children}, now)
    return {"tree": None if root is None else walk.of(root), "truncated": walk.truncated}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)

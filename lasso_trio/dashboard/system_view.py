"""The process itself: what it uses, how late its loop is, and what runs in it. Reading, inside `trio.run`.

With `LASSO_VM_METRICS_ENABLED=false` nothing is read and nothing shown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.task_tree import TaskTree, root_task
from lasso_trio.telemetry.node import memory_mib, task_figures
from lasso_trio.telemetry.usage import Usage

Row = dict[str, Any]
HINT: Final = "set LASSO_VM_METRICS_ENABLED=true"


def figures_here(board: Board, now: float) -> dict[str, Any]:
    """Of this process, as `telemetry.usage.Usage` names them; nothing where that is switched off."""
    if not board.settings.vm_metrics:
        return {}
    living, runnable = task_figures()
    return {
        "cpu_percent": board.cpu.percent(now),
        "busy_percent": board.loop.percent(now),
        "memory_mb": memory_mib(),
        "lag_ms": _ms(board.lag.last),
        "lag_p99_ms": _ms(board.lag.p99),
        "tasks": living,
        "runnable": runnable,
    }


def system_summary(board: Board, now: float) -> Row | None:
    """What each snapshot has of it: of all workers the sums, of their loops the worst."""
    if not board.settings.vm_metrics:
        return None
    usages = board.whole.usages()
    rows = [worker_row(number, usage) for number, usage in usages.items()] or [figures_here(board, now)]
    return {
        "cpu_percent": round(sum(row["cpu_percent"] for row in rows), 1),
        "loop_busy_percent": max(row["busy_percent"] for row in rows),
        "memory_mb": round(sum(row["memory_mb"] for row in rows), 1),
        "loop_lag_ms": max(row["lag_ms"] for row in rows),
        "loop_lag_p99_ms": max(row["lag_p99_ms"] for row in rows),
        "tasks": sum(row["tasks"] for row in rows),
        **({"workers": len(usages)} if usages else {}),
    }


def worker_row(number: int, usage: Usage) -> Row:
    """A line of the table of workers."""
    told = msgspec.structs.asdict(usage)
    return {"worker": number, **{key: told[key] for key in told.keys() - {"in_flight", "clients", "streams"}}}


def system_page(board: Board, now: float) -> Row:
    """`loop` and `tree` are of the worker that answers, `worker`; in `workers` is what all of them use."""
    if not board.settings.vm_metrics:
        return {"enabled": False, "hint": HINT}
    usages = board.whole.usages()
    rows = [worker_row(number, usage) for number, usage in usages.items()]
    return {
        "enabled": True,
        **(_together(rows) if rows else _alone(board, now)),
        "uptime_s": int(board.node.uptime_s(now)),
        "loop": {**_loop(board), "busy_percent": board.loop.percent(now)},
        "worker": next((number for number, usage in usages.items() if usage.pid == os.getpid()), None),
        "workers": rows,
        "series_kept": sum(map(len, (board.collector.chains, board.collector.channels, board.collector.methods))),
        **_tree(board, now),
    }


def _alone(board: Board, now: float) -> Row:
    figures, (connections, in_flight) = figures_here(board, now), board.connections()
    return {
        **{key: figures[key] for key in ("cpu_percent", "memory_mb", "tasks", "runnable")},
        "connections": connections,
        "in_flight": in_flight,
        "viewers": board.viewers(),
        "restarts_total": board.supervisor.restarts,
    }


def _together(rows: Sequence[Row]) -> Row:
    def whole(key: str) -> float:
        total: float = sum(row[key] for row in rows)
        return total

    return {
        "cpu_percent": round(whole("cpu_percent"), 1),
        "memory_mb": round(whole("memory_mb"), 1),
        "tasks": whole("tasks"),
        "runnable": whole("runnable"),
        "connections": whole("connections"),
        "in_flight": whole("requests"),
        "viewers": whole("viewers"),
        "restarts_total": whole("restarts"),
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

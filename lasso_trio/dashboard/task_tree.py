"""The live nursery tree: trio's own tasks, and what supervision knows of them.

Like-named tasks without children are one node with a count. The walk is bounded, whatever the number of connections:
of a nursery with very many tasks only so many are looked at, and the rest is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

import attrs
import trio

from lasso_trio.supervision import Supervised
from lasso_trio.telemetry.scrub import scrub

MOST_NODES: Final = 400
MOST_SIBLINGS: Final = 100
MOST_DEPTH: Final = 16
MAX_NAME: Final = 120

Row = dict[str, Any]


@attrs.define(eq=False)
class TaskTree:
    """One walk. `truncated`: something was left out."""

    children: Mapping[str, Supervised]
    now: float
    left: int = MOST_NODES
    truncated: bool = False

    def of(self, task: trio.lowlevel.Task, depth: int = 0) -> Row:
        self.left -= 1
        row: Row = {"name": scrub(_name(task), MAX_NAME), "count": 1, "children": []}
        supervised = self.children.get(task.name)
        if supervised is not None:
            row |= _state(supervised, self.now)
        for nursery in task.child_nurseries:
            row["children"] += self._siblings(nursery.child_tasks, depth + 1)
        return _one(row) if supervised is not None else row

    def _siblings(self, tasks: Iterable[trio.lowlevel.Task] | frozenset[trio.lowlevel.Task], depth: int) -> list[Row]:
        everybody = frozenset(tasks)
        rows: dict[object, Row] = {}
        shown = 0
        for task in islice(everybody, MOST_SIBLINGS):
            if self.left <= 0 or depth > MOST_DEPTH:
                break
            shown += 1
            self._join(rows, self.of(task, depth), task)
        if shown < len(everybody):
            self.truncated = True
            rows["rest"] = {"name": "and more", "count": len(everybody) - shown, "children": []}
        return sorted(rows.values(), key=lambda row: row["name"])

    def _join(self, rows: dict[object, Row], row: Row, task: trio.lowlevel.Task) -> None:
        alike = None if row["children"] or "state" in row else rows.get(row["name"])
        if alike is not None:
            alike["count"] += 1
            self.left += 1
        else:
            rows[task if row["children"] or "state" in row else row["name"]] = row


def _one(row: Row) -> Row:
    """Who supervises and who is supervised have the same name, and are one to look at."""
    if len(row["children"]) == 1 and row["children"][0]["name"] == row["name"]:
        row["children"] = row["children"][0]["children"]
    return row


def _name(task: trio.lowlevel.Task) -> str:
    return task.name.removeprefix("lasso_trio.")


def _state(child: Supervised, now: float) -> Row:
    return {
        "restarts": child.restarts,
        "state": child.state.value,
        "last_error": child.last_error or None,
        "since_ms": int((now - child.since) * 1000),
    }


def root_task() -> trio.lowlevel.Task | None:
    """The main task of this run: what `trio.run` was given."""
    root = trio.lowlevel.current_root_task()
    if root is None:
        return None
    mains = [task for nursery in root.child_nurseries for task in nursery.child_tasks if "system" not in task.name]
    return next((task for task in mains if task.child_nurseries), root)

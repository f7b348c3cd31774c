from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from lasso_trio.dashboard import task_tree as module
from lasso_trio.dashboard.task_tree import TaskTree, root_task
from lasso_trio.supervision import Supervised, Supervisor, supervise
from tests.dashboard.boards import KEY


def walk(children: dict[str, Supervised] | None = None, **limits: Any) -> tuple[dict[str, Any], TaskTree]:  # noqa: ANN401
    tree = TaskTree(children or {}, trio.current_time(), **limits)
    return tree.of(trio.lowlevel.current_task()), tree


async def test_tasks_are_told_with_those_they_started(nursery: trio.Nursery) -> None:
    async def parent() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(trio.sleep_forever, name="child")
            await trio.sleep_forever()

    async with trio.open_nursery() as mine:
        mine.start_soon(parent, name="parent")
        await trio.testing.wait_all_tasks_blocked()
        row, _ = walk()
        mine.cancel_scope.cancel()
    assert row["children"] == [
        {"name": "parent", "count": 1, "children": [{"name": "child", "count": 1, "children": []}]}
    ]


async def test_like_named_tasks_are_one_with_a_count() -> None:
    async with trio.open_nursery() as mine:
        for _ in range(30):
            mine.start_soon(trio.sleep_forever, name="connection")
        row, tree = walk(left=4)
        mine.cancel_scope.cancel()
    assert row["children"] == [{"name": "connection", "count": 30, "children": []}]
    assert not tree.truncated


async def test_what_supervision_knows_stands_beside_the_task() -> None:
    child = Supervised("reaper", trio.current_time(), restarts=3, last_error="ValueError: x")
    async with trio.open_nursery() as mine:
        mine.start_soon(trio.sleep_forever, name="reaper")
        row, _ = walk({"reaper": child})
        mine.cancel_scope.cancel()
    (found,) = row["children"]
    assert (found["restarts"], found["state"], found["last_error"]) == (3, "running", "ValueError: x")


async def test_a_supervised_task_and_its_run_are_one() -> None:
    async def run() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(trio.sleep_forever, name="its child")
            await trio.sleep_forever()

    registry = Supervisor()
    async with trio.open_nursery() as mine:
        mine.start_soon(partial(supervise, "a service", run, registry=registry), name="a service")
        await trio.testing.wait_all_tasks_blocked()
        row, _ = walk({child.name: child for child in registry.children})
        mine.cancel_scope.cancel()
    (found,) = row["children"]
    assert (found["name"], found["state"]) == ("a service", "running")
    assert [child["name"] for child in found["children"]] == ["its child"]


async def test_a_crowd_is_counted_and_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SIBLINGS", 10)
    async with trio.open_nursery() as mine:
        for _ in range(50):
            mine.start_soon(trio.sleep_forever, name="connection")
        row, tree = walk()
        mine.cancel_scope.cancel()
    assert sorted((r["name"], r["count"]) for r in row["children"]) == [("and more", 40), ("connection", 10)]
    assert tree.truncated


async def test_the_tree_has_an_end_in_breadth_and_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trio.open_nursery() as mine:
        for n in range(20):
            mine.start_soon(trio.sleep_forever, name=f"task {n}")
        row, tree = walk(left=5)
        assert (len(row["children"]), tree.truncated) == (5, True)
        monkeypatch.setattr(module, "MOST_DEPTH", 0)
        assert walk()[0]["children"] == [{"name": "and more", "count": 20, "children": []}]
        mine.cancel_scope.cancel()


async def test_names_are_scrubbed() -> None:
    async with trio.open_nursery() as mine:
        mine.start_soon(trio.sleep_forever, name=f"dial https://a.example/{KEY}")
        row, _ = walk()
        mine.cancel_scope.cancel()
    assert KEY not in str(row)


async def test_the_root_is_the_main_task_of_this_run() -> None:
    root = root_task()
    assert root is not None
    assert root.name != "<system tasks>"


def test_outside_of_trio_there_is_none() -> None:
    with pytest.raises(RuntimeError):
        root_task()

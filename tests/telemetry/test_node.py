from __future__ import annotations

import resource
from types import SimpleNamespace

import pytest
import trio

from lasso_trio.telemetry import node
from lasso_trio.telemetry.node import Node, Readiness, memory_mib, task_figures


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """CPU seconds of the process, user and system."""
    seconds = [10.0, 2.0]
    used = lambda _: SimpleNamespace(ru_utime=seconds[0], ru_stime=seconds[1], ru_maxrss=2048)  # noqa: E731
    monkeypatch.setattr(resource, "getrusage", used)
    return seconds


def test_a_node_starts_as_starting_and_counts_its_time() -> None:
    it = Node("here", 100.0)
    assert it.readiness is Readiness.STARTING
    assert it.uptime_s(160.5) == 60.5


def test_cpu_percent_is_that_of_the_time_since_it_was_last_asked(spent: list[float]) -> None:
    it = Node("here", 100.0)
    spent[0] += 0.5
    assert it.cpu_percent(110.0) == 5.0
    spent[0] += 1.0
    spent[1] += 1.0
    assert it.cpu_percent(112.0) == 100.0
    assert it.cpu_percent(122.0) == 0.0


def test_what_was_spent_before_the_start_does_not_count(spent: list[float]) -> None:
    assert Node("here", 100.0).cpu_percent(100.1) == 0.0


def test_asking_twice_at_once_divides_by_nothing(spent: list[float]) -> None:
    it = Node("here", 100.0)
    assert it.cpu_percent(100.0) == it.cpu_percent(100.0) == 0.0


def test_a_python_process_takes_some_mebibytes() -> None:
    assert 5 < memory_mib() < 16_384


def test_without_proc_the_peak_must_do(spent: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(node, "open", missing, raising=False)
    assert memory_mib() == 2.0


async def test_tasks_are_counted() -> None:
    before, _ = task_figures()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.sleep_forever)
        living, ready = task_figures()
        assert living == before + 3
        assert ready >= 3
        nursery.cancel_scope.cancel()

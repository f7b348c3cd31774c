"""Supervision: faults are contained, counted and shown; waits grow and recover; what must pass through does."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
import structlog
import trio
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.supervision import (
    FINISHED,
    ChildState,
    RestartPolicy,
    Supervised,
    Supervisor,
    describe,
    supervise,
)


class Longest(Random):
    """Dice that always give the largest delay, so that waits can be foretold."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
def registry() -> Supervisor:
    return Supervisor(rng=Longest())


@pytest.fixture(autouse=True)
def _quiet() -> None:
    structlog.reset_defaults()


async def start(nursery: trio.Nursery, registry: Supervisor, fn) -> Supervised:  # noqa: ANN001
    return await nursery.start(lambda task_status: supervise("child", fn, registry=registry, task_status=task_status))


async def test_a_crash_is_contained_and_the_child_runs_again(autojump_clock: MockClock, registry: Supervisor) -> None:
    runs: list[float] = []

    async def crash_twice() -> object:
        runs.append(trio.current_time())
        if len(runs) <= 2:
            raise ValueError("boom")
        return FINISHED

    with capture_logs() as lines:
        await supervise("child", crash_twice, registry=registry)
    assert [b - a for a, b in pairwise(runs)] == pytest.approx([0.5, 1.0])
    assert [line["event"] for line in lines] == ["child.crashed", "child.restarted"] * 2
    assert lines[0]["error"] == "ValueError: boom"
    assert isinstance(lines[0]["exc_info"], ValueError)


async def test_a_plain_return_is_a_fault_too(autojump_clock: MockClock, registry: Supervisor) -> None:
    runs = 0

    async def leave() -> object:
        nonlocal runs
        runs += 1
        return None if runs < 3 else FINISHED

    with capture_logs() as lines:
        await supervise("child", leave, registry=registry)
    assert runs == 3
    assert lines[0]["error"] == "returned although it should not"
    assert registry.restarts == 2


async def test_finished_ends_it_without_a_word(autojump_clock: MockClock, registry: Supervisor) -> None:
    async def done() -> object:
        return FINISHED

    with capture_logs() as lines:
        await supervise("child", done, registry=registry)
    assert lines == []
    assert registry.children == []


async def test_waits_double_up_to_thirty_seconds(autojump_clock: MockClock, registry: Supervisor) -> None:
    runs: list[float] = []

    async def crash() -> None:
        runs.append(trio.current_time())
        raise ValueError

    with trio.move_on_after(200):
        await supervise("child", crash, registry=registry)
    waits = [b - a for a, b in pairwise(runs)]
    assert waits[:9] == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30])


async def test_a_minute_of_health_forgives_the_past(autojump_clock: MockClock, registry: Supervisor) -> None:
    lives = [0.0, 0.0, 0.0, 0.0, 59.0, 61.0, 0.0]
    runs: list[float] = []
    ends: list[float] = []

    async def live() -> object:
        runs.append(trio.current_time())
        if len(runs) > len(lives):
            return FINISHED
        await trio.sleep(lives[len(runs) - 1])
        ends.append(trio.current_time())
        raise ValueError

    await supervise("child", live, registry=registry)
    waits = [start - end for end, start in zip(ends, runs[1:], strict=True)]
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, 0.5, 1])


@given(st.integers(0, 10_000), st.integers())
def test_a_delay_is_anything_up_to_the_ceiling(streak: int, seed: int) -> None:
    assert 0 <= RestartPolicy().delay(streak, Random(seed)) <= min(30.0, 0.5 * 2.0 ** min(streak, 10))


async def test_the_state_of_a_child_can_be_seen(autojump_clock: MockClock, registry: Supervisor) -> None:
    fail = trio.Event()

    async def fail_when_told() -> None:
        await fail.wait()
        raise RuntimeError("cannot reach https://node.example/v3/SECRETKEY")

    async with trio.open_nursery() as nursery:
        child = await start(nursery, registry, fail_when_told)
        assert registry.children == [child]
        await trio.sleep(5)
        assert (child.running, child.since, child.last_error, child.last_error_at) == (True, 0.0, "", None)
        fail.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (child.state, child.since, child.streak, child.restarts) == (ChildState.WAITING, 5.0, 1, 0)
        assert child.last_error == "RuntimeError: cannot reach https://node.example/***"
        assert child.last_error_at == 5.0
        nursery.cancel_scope.cancel()
    assert child.state is ChildState.STOPPED
    assert registry.children == []


async def test_siblings_do_not_notice(autojump_clock: MockClock, registry: Supervisor) -> None:
    beats = 0

    async def heart() -> None:
        nonlocal beats
        while True:
            beats += 1
            await trio.sleep(1)

    async def crash() -> None:
        raise ValueError

    with trio.move_on_after(10.5):
        async with trio.open_nursery() as nursery:
            await start(nursery, registry, heart)
            await start(nursery, registry, crash)
    assert beats == 11
    assert registry.restarts > 3


async def test_cancelling_waits_for_the_child_and_passes_through(registry: Supervisor) -> None:
    cleaned = False

    async def child() -> None:
        nonlocal cleaned
        try:
            await trio.sleep_forever()
        finally:
            cleaned = True

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await start(nursery, registry, child)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert cleaned
    assert scope.cancelled_caught
    assert registry.children == []


async def test_an_error_while_being_cancelled_is_logged_and_cancellation_wins(registry: Supervisor) -> None:
    async def stumble() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise OSError("while closing")

    with capture_logs() as lines, trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await start(nursery, registry, stumble)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert [line["error"] for line in lines] == ["OSError: while closing"]
    assert registry.restarts == 0


async def test_a_stray_cancelled_of_a_library_is_only_a_fault_of_that_run(
    autojump_clock: MockClock, registry: Supervisor
) -> None:
    runs = 0

    async def leak() -> object:
        nonlocal runs
        runs += 1
        if runs == 3:
            return FINISHED
        leaked: list[trio.Cancelled] = []
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                leaked.append(cancelled)
                raise
        raise leaked[0]

    await supervise("child", leak, registry=registry)
    assert runs == 3


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_process_passes_through(registry: Supervisor, fatal: type[BaseException]) -> None:
    async def die() -> None:
        raise fatal

    with pytest.RaisesGroup(fatal):
        await supervise("child", die, registry=registry)
    assert registry.children == []


async def test_restarts_of_children_that_left_stay_counted(autojump_clock: MockClock, registry: Supervisor) -> None:
    async def crash() -> None:
        raise ValueError

    with trio.move_on_after(20):
        await supervise("child", crash, registry=registry)
    assert registry.children == []
    assert registry.restarts == 5


async def test_a_group_of_one_is_shown_as_the_one(autojump_clock: MockClock, registry: Supervisor) -> None:
    async def crash_inside() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash)

    async def crash() -> None:
        raise ValueError("deep")

    with capture_logs() as lines, trio.move_on_after(0.1):
        await supervise("child", crash_inside, registry=registry)
    assert lines[0]["error"] == "ValueError: deep"


def test_an_error_is_described_in_bounded_length() -> None:
    assert len(describe(ValueError("x" * 10_000))) <= 301

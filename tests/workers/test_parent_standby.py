"""The parent with a process in reserve: it takes a dead worker's place, and another one comes."""

from __future__ import annotations

import signal

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio import notify
from lasso_trio.workers.parent import COMES_S, READY_S, Parent
from tests.workers.stage import Played, Stage, ended, parent_on, serves


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "tell", lambda _: None)


async def running(nursery: trio.Nursery, stage: Stage) -> Parent:
    """All workers serve, and the standby waits."""
    parent = parent_on(stage, standby=True)
    await nursery.start(parent.run)
    await trio.sleep(60)
    assert (len(stage.workers), len(stage.standbys)) == (2, 1)
    return parent


async def test_no_standby_is_started_before_all_workers_take_calls(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery)
    parent = parent_on(stage, standby=True)
    await nursery.start(parent.run)
    await trio.sleep(50)
    serves(stage.now(0))
    await trio.sleep(50)
    assert stage.standbys == []
    serves(stage.now(1))
    await trio.sleep(50)
    assert len(stage.standbys) == 1
    assert parent.switch.up == [0, 1]
    await ended(parent, stage)


async def test_a_killed_worker_is_replaced_by_the_standby_and_another_standby_comes(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery, serves)
    parent = await running(nursery, stage)
    stage.takes_s = 5.0
    for n in range(4):
        number, began = n % 2, trio.current_time()
        with capture_logs() as logs:
            stage.now(number).ends(-signal.SIGKILL)
            await wait_all_tasks_blocked()
        assert (trio.current_time(), parent.switch.ready) == (began, [0, 1])
        assert stage.now(number) is stage.standbys[n]
        (started,) = [line for line in logs if line["event"] == "worker.started"]
        assert (started["worker"], started["pid"], started["standby"]) == (number, 2000 + n, True)
        await trio.sleep(60)
        assert len(stage.standbys) == n + 2
    assert [seat.ended for seat in parent.seats] == [2, 2]
    await ended(parent, stage)


async def test_of_two_that_die_at_once_one_gets_it_and_one_the_next_as_it_comes(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery, serves)
    parent = await running(nursery, stage)
    stage.takes_s = 5.0
    for worker in stage.workers[:]:
        worker.ends(-signal.SIGKILL)
    await trio.sleep(stage.imports_s / 2)
    assert len(parent.switch.ready) == 1
    await trio.sleep(stage.imports_s)
    assert parent.switch.ready == [0, 1]
    assert [stage.now(number) in stage.standbys for number in (0, 1)] == [True, True]
    await trio.sleep(60)
    assert len(stage.standbys) == 3
    await ended(parent, stage)


async def test_a_worker_that_dies_soon_after_another_is_replaced_at_once_as_well(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    starts = iter([serves, serves])  # and who comes then does not take calls yet
    stage = Stage(nursery, lambda worker: next(starts, lambda _: None)(worker))
    parent = await running(nursery, stage)
    stage.now(0).ends(-signal.SIGKILL)
    await trio.sleep(2 * stage.imports_s)
    assert parent.switch.ready == [1]
    began = trio.current_time()
    stage.now(1).ends(-signal.SIGKILL)
    await wait_all_tasks_blocked()
    assert (stage.now(1), trio.current_time()) == (stage.standbys[1], began)
    await ended(parent, stage)


async def test_a_standby_that_dies_is_nobodys_crash(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    stage = Stage(nursery, serves)
    parent = await running(nursery, stage)
    for _ in range(5):
        stage.standbys[-1].ends(-signal.SIGKILL)
        await trio.sleep(60)
    assert len(stage.standbys) == 6
    assert [(seat.ended, seat.restarts.streak) for seat in parent.seats] == [(0, 0), (0, 0)]
    assert parent.switch.ready == [0, 1]
    await ended(parent, stage)


async def test_a_standby_that_is_stuck_costs_a_few_seconds_and_is_killed(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery, serves, deaf=True)
    parent = await running(nursery, stage)
    with capture_logs() as logs:
        stage.now(0).ends(-signal.SIGKILL)
        await trio.sleep(COMES_S - 1)
        assert parent.switch.ready == [1]
        stage.standbys[1].ends(-signal.SIGKILL)  # stuck as well
        stage.deaf = False
        await trio.sleep(2)
    assert parent.switch.ready == [0, 1]
    assert stage.standbys[0].told == ["SIGKILL"]
    assert {"event": "worker.hangs", "worker": 0, "pid": 2000, "log_level": "error"} in logs
    assert stage.now(0) is stage.standbys[2]
    await ended(parent, stage)


async def test_a_standby_that_still_imports_has_as_much_time_as_any_worker(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery, serves, imports_s=10 * COMES_S)
    parent = await running(nursery, stage)
    stage.now(0).ends(-signal.SIGKILL)
    await trio.sleep(10 * COMES_S)
    assert (stage.now(0), stage.standbys[0].told) == (stage.standbys[0], [])
    assert parent.switch.ready == [0, 1]
    await ended(parent, stage)


async def test_a_standby_that_came_in_time_is_a_worker_like_any_other(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    stage = Stage(nursery, serves)
    parent = await running(nursery, stage)
    stage.now(0).ends(-signal.SIGKILL)
    await trio.sleep(10 * COMES_S)
    assert stage.standbys[0].told == []
    stage.standbys[0].ends(-signal.SIGKILL)
    await trio.sleep(60)
    assert stage.now(0) is stage.standbys[1]
    await ended(parent, stage)


async def test_when_the_node_ends_so_does_the_standby(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    stage = Stage(nursery, serves)
    parent = await running(nursery, stage)
    parent.stop()
    await wait_all_tasks_blocked()
    assert stage.standbys[0].told == ["SIGKILL"]
    assert [worker.told for worker in stage.workers] == [["drain"], ["drain"]]
    for worker in stage.workers:
        worker.ends(0)
    await trio.sleep(1)
    assert (parent.exit_code, len(stage.standbys)) == (0, 1)


async def test_a_worker_that_never_takes_calls_is_killed_and_replaced(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    lame = {1}

    def starts(worker: Played) -> None:
        if worker.number in lame:
            lame.clear()
        else:
            serves(worker)

    stage = Stage(nursery, starts)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(READY_S - 1)
    assert parent.switch.ready == [0]
    waited_for = stage.now(1)
    with capture_logs() as logs:
        await trio.sleep(2)
    assert waited_for.told == ["SIGKILL"]
    assert "worker.hangs" in [line["event"] for line in logs]
    await trio.sleep(1)
    assert parent.switch.ready == [0, 1]
    await ended(parent, stage)

"""The one process in reserve: when there is one, who gets it, and what becomes of one that dies or is not needed."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.workers.reserve import END_S, PAUSE_S, Reserve
from tests.workers.stage import Stage


def reserve_on(stage: Stage, on: bool = True) -> Reserve:
    program: Any = stage
    return Reserve(program, on)


@pytest.fixture
async def stage(nursery: trio.Nursery) -> Stage:
    return Stage(nursery)


@pytest.fixture
async def reserve(nursery: trio.Nursery, stage: Stage) -> Reserve:
    reserve = reserve_on(stage)
    nursery.start_soon(reserve.run)
    return reserve


async def test_there_is_one_when_it_is_wanted_and_never_two(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    await trio.sleep(60)
    assert (stage.standbys, reserve.standby) == ([], None)
    with capture_logs() as logs:
        for _ in range(3):
            reserve.fill()
            await trio.sleep(60)
    assert len(stage.standbys) == 1
    assert [(line["event"], line["pid"]) for line in logs] == [("standby.started", 2000), ("standby.waits", 2000)]
    reserve.stop()


async def test_whoever_comes_first_gets_it_the_second_the_next_one_and_a_third_a_process_anew(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    for _ in range(2):
        reserve.fill()
        await trio.sleep(60)
    stage.takes_s = 1.0
    began = trio.current_time()
    process, stream, waited = await reserve.start(3)
    assert (trio.current_time(), waited) == (began, True)
    assert process is stage.standbys[0]
    await wait_all_tasks_blocked()
    assert stage.now(3) is stage.standbys[0]
    assert await stream.receive_some()  # the worker's first word, which nobody has read before
    process, _, waited = await reserve.start(1)
    assert (process, trio.current_time(), waited) == (stage.standbys[1], began, False)
    process, _, waited = await reserve.start(2)
    assert (trio.current_time(), waited) == (began + 1, False)
    assert process not in stage.standbys
    await trio.sleep(60)
    assert (len(stage.standbys), reserve.standby) == (2, None)
    reserve.fill()
    await trio.sleep(60)
    assert (len(stage.standbys), reserve.standby is None) == (3, False)
    reserve.stop()


async def test_when_one_that_waited_is_taken_the_next_comes_before_anybody_asks_for_it(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    reserve.fill()
    await trio.sleep(60)
    for n in range(5):
        process, _, waited = await reserve.start(n % 2)
        assert (process, waited) == (stage.standbys[n], True)
        await trio.sleep(2 * stage.imports_s)
    assert len(stage.standbys) == 6
    reserve.stop()


async def test_two_that_need_one_at_once_and_a_system_that_refuses_the_next_keep_nobody_waiting(
    nursery: trio.Nursery, autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    async def take(number: int) -> None:
        taken.append((await reserve.start(number))[0])

    taken: list[object] = []
    reserve.fill()
    await trio.sleep(60)
    stage.standby_fails = 1
    nursery.start_soon(take, 0)
    nursery.start_soon(take, 1)
    await wait_all_tasks_blocked()
    assert len(taken) == 2
    assert len([process for process in taken if process in stage.standbys]) == 1
    reserve.stop()


async def test_who_needs_one_while_the_node_ends_does_not_wait_for_it(
    nursery: trio.Nursery, autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    reserve.fill()
    await trio.sleep(60)
    await reserve.start(0)
    reserve.stop()
    with trio.fail_after(1):
        assert (await reserve.start(1))[2] is False


async def test_one_that_still_imports_is_given_its_post_as_well(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    reserve.fill()
    await trio.sleep(stage.imports_s / 2)
    process, _, waited = await reserve.start(0)
    assert (process, waited, stage.workers) == (stage.standbys[0], False, [])
    await trio.sleep(stage.imports_s)
    assert stage.workers == stage.standbys
    reserve.stop()
    await trio.sleep(1)
    assert stage.standbys[0].told == []


async def test_one_that_dies_is_replaced_soon(autojump_clock: MockClock, stage: Stage, reserve: Reserve) -> None:
    reserve.fill()
    for n in range(5):
        await trio.sleep(60)
        with capture_logs() as logs:
            stage.standbys[n].ends(-signal.SIGKILL)
            await trio.sleep(PAUSE_S + 0.1)
        assert [line["event"] for line in logs] == ["standby.ended", "standby.started"]
        assert (logs[0]["signal"], logs[0]["next_in_s"]) == ("SIGKILL", 0)
        assert logs[0]["waited_s"] == pytest.approx(59, abs=1)
    assert reserve.standby is not None
    assert reserve.standby.process is stage.standbys[5]  # type: ignore[comparison-overlap]
    reserve.stop()


async def test_one_that_is_told_to_end_with_the_node_is_nothing_to_tell_of(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    reserve.fill()
    await trio.sleep(60)
    with capture_logs() as logs:
        stage.standbys[0].ends(-signal.SIGTERM)
        await trio.sleep(PAUSE_S / 2)
        reserve.stop()
        await trio.sleep(60)
    assert (logs, len(stage.standbys)) == ([], 1)


async def test_those_that_end_before_they_wait_come_more_and_more_seldom(
    nursery: trio.Nursery, autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    async def end_all() -> None:
        while True:
            await trio.sleep(0.1)
            stage.standbys[-1].ends(1)

    reserve.fill()
    await wait_all_tasks_blocked()
    nursery.start_soon(end_all)
    with capture_logs() as logs:
        await trio.sleep(60)
    delays = [line["next_in_s"] for line in logs if line["event"] == "standby.ended"]
    assert delays[:5] == [0, 0, 0.5, 1, 2]
    assert len(stage.standbys) < 12
    assert (logs[0]["exit_code"], logs[0]["waited_s"]) == (1, None)
    nursery.cancel_scope.cancel()


async def test_what_the_system_refuses_is_tried_again(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    stage.fails = 4
    reserve.fill()
    with capture_logs() as logs:
        await trio.sleep(60)
    assert [line["event"] for line in logs].count("standby.not_started") == 4
    assert len(stage.standbys) == 1
    reserve.stop()


async def test_one_of_another_version_is_refused_and_no_other_tried_until_it_is_wanted(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    stage.greets = b"\x02"
    reserve.fill()
    with capture_logs() as logs:
        await trio.sleep(60)
    assert stage.standbys[0].told == ["SIGKILL"]
    assert (len(stage.standbys), reserve.standby) == (1, None)
    assert logs[-1]["event"] == "standby.refused"
    assert logs[-1]["error"].endswith("restart the node")
    reserve.fill()
    await trio.sleep(60)
    assert len(stage.standbys) == 2
    reserve.stop()


@pytest.mark.parametrize("after_s", [0.5, 60.0])
async def test_at_the_nodes_end_it_is_killed_and_nobody_comes_any_more(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve, after_s: float
) -> None:
    reserve.fill()
    await trio.sleep(after_s)
    reserve.stop()
    await trio.sleep(1)
    reserve.fill()
    await trio.sleep(60)
    assert [standby.told for standby in stage.standbys] == [["SIGKILL"]]
    assert reserve.standby is None


async def test_one_that_died_unnoticed_is_given_out_and_its_end_seen_by_who_took_it(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    stage.deaf = True
    reserve.fill()
    await trio.sleep(60)
    await trio.aclose_forcefully(stage.standbys[0].stream)
    with capture_logs() as logs:
        process, stream, waited = await reserve.start(0)
    assert (process, waited) == (stage.standbys[0], True)
    assert "standby.died" in [line["event"] for line in logs]
    assert await stream.receive_some() == b""
    reserve.stop()


async def test_one_whose_bus_has_ended_and_that_is_taken_is_followed_by_one_other(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    stage.deaf = True
    reserve.fill()
    await trio.sleep(60)
    await trio.aclose_forcefully(stage.standbys[0].stream)
    await trio.sleep(END_S / 2)
    _, _, waited = await reserve.start(0)
    assert waited
    await trio.sleep(60)
    assert (len(stage.standbys), stage.standbys[0].told) == (2, [])
    reserve.stop()


async def test_whoever_is_cancelled_while_taking_it_leaves_it_to_its_end(
    autojump_clock: MockClock, stage: Stage, reserve: Reserve
) -> None:
    reserve.fill()
    await trio.sleep(60)
    with trio.CancelScope() as scope:
        scope.cancel()
        await reserve.start(0)
    await trio.sleep(1)
    assert (stage.standbys[0].code, stage.workers) == (0, [])
    reserve.stop()


async def test_without_a_standby_all_processes_are_started_anew(
    nursery: trio.Nursery, autojump_clock: MockClock, stage: Stage
) -> None:
    reserve = reserve_on(stage, on=False)
    nursery.start_soon(reserve.run)
    reserve.fill()
    await trio.sleep(60)
    assert stage.standbys == []
    assert (await reserve.start(0))[2] is False
    reserve.stop()

from __future__ import annotations

from functools import partial

import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.routing.afterwork import Afterwork

Clock = trio.testing.MockClock


async def test_work_goes_on_when_whoever_started_it_has_left(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    afterwork, done = Afterwork(), trio.Event()
    await nursery.start(afterwork.run)

    async def work() -> None:
        await trio.sleep(5)
        done.set()

    with trio.CancelScope() as call:
        assert afterwork.start(work, "write")
        call.cancel()
        await trio.lowlevel.checkpoint()
    await done.wait()
    assert afterwork.running == 0


async def test_where_it_does_not_run_there_is_no_room() -> None:
    assert not Afterwork().start(trio.sleep_forever, "write")


async def test_there_is_room_for_so_many_and_no_more(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    afterwork = Afterwork(limit=2)
    await nursery.start(afterwork.run)
    work = partial(trio.sleep, 1)
    assert [afterwork.start(work, "write") for _ in range(3)] == [True, True, False]
    await trio.sleep(2)
    assert afterwork.start(work, "write")


async def test_what_crashes_is_logged_and_takes_nothing_with_it(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    afterwork, done = Afterwork(), trio.Event()
    await nursery.start(afterwork.run)

    async def crash() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    async def work() -> None:
        await trio.sleep(5)
        done.set()

    with capture_logs() as logs:
        assert afterwork.start(work, "well")
        assert afterwork.start(crash, "ill")
        await done.wait()
    assert [(line["event"], line["work"]) for line in logs] == [("afterwork.crashed", "ill")]
    assert (afterwork.running, afterwork.crashes) == (0, 1)


async def test_draining_waits_for_all_and_takes_no_more(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    afterwork = Afterwork()
    await nursery.start(afterwork.run)
    assert afterwork.start(partial(trio.sleep, 3), "write")
    assert afterwork.start(partial(trio.sleep, 5), "write")
    assert await afterwork.drain(trio.current_time() + 10)
    assert trio.current_time() == 5
    assert not afterwork.start(partial(trio.sleep, 3), "write")


async def test_draining_gives_up_in_time(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    afterwork = Afterwork()
    await nursery.start(afterwork.run)
    assert afterwork.start(partial(trio.sleep, 30), "write")
    assert not await afterwork.drain(trio.current_time() + 10)
    nursery.cancel_scope.cancel()


async def test_once_it_was_stopped_there_is_no_room(autojump_clock: Clock) -> None:
    afterwork = Afterwork()
    async with trio.open_nursery() as nursery:
        await nursery.start(afterwork.run)
        assert afterwork.start(trio.sleep_forever, "write")
        nursery.cancel_scope.cancel()
    assert not afterwork.start(trio.sleep_forever, "write")
    assert afterwork.running == 0

"""The parent's end: who is up, who keeps, and that nobody holds up another."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.workers.bus import HELLO, PARENT, Bus
from lasso_trio.workers.frame import Frame, Kind, encoded, greeting
from lasso_trio.workers.switch import READY, Switch
from tests.workers.crew import crew_of


async def test_one_keeps_and_stays_until_it_goes(autojump_clock: MockClock) -> None:
    async with crew_of(3) as crew:
        assert (crew.switch.keeper, crew.switch.up) == (0, [0, 1, 2])
        await crew.kill(2)
        assert crew.switch.keeper == 0
        await crew.kill(0)
        assert (crew.switch.keeper, crew.switch.up) == (1, [1])
        await crew.join(0)
        assert crew.switch.keeper == 1
        await crew.kill(1)
        await crew.kill(0)
        assert crew.switch.keeper is None
        await crew.join(2)
        assert (crew.switch.keeper, crew[2].keeping) == (2, True)


async def test_one_that_takes_calls_is_named_before_one_that_just_starts(autojump_clock: MockClock) -> None:
    told: list[int] = []
    async with crew_of(3) as crew:
        crew.switch.on_ready(told.append)
        crew[2].tell(READY, b"", to=PARENT)
        await crew.settle()
        assert (told, crew.switch.ready) == ([2], [2])
        await crew.kill(0)
        assert crew[1].keeper == 2


async def test_a_node_that_ends_names_nobody_any_more(autojump_clock: MockClock) -> None:
    async with crew_of(2) as crew:
        crew.switch.ending = True
        await crew.kill(0)
        assert (crew.switch.keeper, crew[1].keeper) == (None, None)


async def test_what_is_told_to_all_reaches_those_that_are_up_and_orders_those_that_start_as_well(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    switch, heard = Switch(), list[bytes]()
    ours, theirs = memory_stream_pair()
    bus = Bus(0, theirs)
    bus.listen("x", lambda _, payload: heard.append(payload))
    nursery.start_soon(switch.attach, 0, ours)
    await wait_all_tasks_blocked()
    switch.tell("x", b"told")
    switch.order("x", b"ordered")
    switch.order("x", b"nobody", to=9)
    nursery.start_soon(bus.run)
    await wait_all_tasks_blocked()
    assert heard == [b"ordered"]


async def test_who_leaves_is_told_once_and_a_late_end_does_not_unseat_its_successor(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    left: list[int] = []
    async with crew_of(1) as crew:
        crew.switch.on_leave(left.append)
        old = crew.switch.links[0]
        await crew.join(0)
        assert crew.switch.links[0] is not old
        crew.switch._detach(old)
        assert crew.switch.up == [0]
    assert left[0] == 0


async def test_one_that_does_not_read_holds_up_nobody_and_is_told_all_again_when_it_does(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    heard, joined = list[bytes](), list[tuple[int, int]]()

    def prepare(bus: Bus) -> None:
        bus.listen("news", lambda _, payload: heard.append(payload))
        bus.on_join(lambda worker: joined.append((bus.worker, worker)))

    async with crew_of(2, prepare, most=4_000) as crew:
        ours, theirs = lockstep_stream_pair()
        crew.nursery.start_soon(crew.switch.attach, 2, ours)
        await theirs.send_all(encoded(Frame(Kind.TELL, 2, PARENT, HELLO, greeting())))
        await crew.settle()
        joined.clear()
        with capture_logs() as logs:
            for _ in range(100):
                crew[0].tell("news", bytes(1_000))
                await crew.settle()
            assert len(heard) == 100
            assert crew.switch.links[2].outbox.dropped > 90
            assert crew.switch.dropped == crew.switch.links[2].outbox.dropped
            assert joined == []
            with trio.move_on_after(1):
                while True:
                    await theirs.receive_some()
        assert joined == [(0, 2)]
        assert [(line["event"], line["told_again"]) for line in logs] == [("bus.dropped", [0])]


async def test_a_worker_that_sends_no_frames_counts_as_gone(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async with crew_of(1) as crew:
        ours, theirs = memory_stream_pair()
        crew.nursery.start_soon(crew.switch.attach, 1, ours)
        await theirs.send_all(encoded(Frame(Kind.TELL, 1, PARENT, HELLO, greeting())))
        await crew.settle()
        assert crew.switch.up == [0, 1]
        with capture_logs() as logs:
            await theirs.send_all(b"\xff\xff\xff\xff")
            await crew.settle()
        assert crew.switch.up == [0]
        assert [line["event"] for line in logs] == ["bus.broken"]


@pytest.mark.parametrize("greeting", [b"", b"\x02", b"\xa11"])
async def test_a_worker_of_another_version_is_not_let_in_and_the_log_says_what_to_do(
    nursery: trio.Nursery, autojump_clock: MockClock, greeting: bytes
) -> None:
    async with crew_of(1) as crew:
        ours, theirs = memory_stream_pair()
        crew.nursery.start_soon(crew.switch.attach, 1, ours)
        with capture_logs() as logs:
            await theirs.send_all(encoded(Frame(Kind.TELL, 1, PARENT, HELLO, greeting)))
            assert await theirs.receive_some() == b""
        assert crew.switch.up == [0]
        (line,) = logs
        assert (line["event"], line["worker"]) == ("bus.broken", 1)
        assert line["error"].endswith("restart the node")


async def test_what_is_told_to_one_that_has_gone_is_lost_without_a_word(autojump_clock: MockClock) -> None:
    async with crew_of(2) as crew:
        await crew.kill(1)
        crew.switch.tell("x", b"")
        crew[0].tell("x", b"", to=1)
        await crew.settle()
        assert crew.switch.up == [0]

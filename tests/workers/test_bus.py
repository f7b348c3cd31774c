"""A worker's end: what it tells, hears, asks, and learns of the others. Around a real switch, in virtual time."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.supervision import FINISHED
from lasso_trio.workers.bus import PARENT, Bus, BusFault
from lasso_trio.workers.outbox import Outbox
from lasso_trio.workers.switch import Switch
from tests.workers.crew import crew_of

Heard = list[tuple[int, int, bytes]]


async def test_what_is_told_to_all_is_heard_by_all_others_in_order(autojump_clock: MockClock) -> None:
    heard: Heard = []
    async with crew_of(3, lambda bus: bus.listen("news", lambda s, p: heard.append((bus.worker, s, p)))) as crew:
        crew[1].tell("news", b"a")
        crew[1].tell("news", b"b")
        await crew.settle()
    assert [entry for entry in heard if entry[0] == 0] == [(0, 1, b"a"), (0, 1, b"b")]
    assert [entry for entry in heard if entry[0] == 2] == [(2, 1, b"a"), (2, 1, b"b")]
    assert len(heard) == 4


async def test_what_is_told_to_one_is_heard_by_no_other(autojump_clock: MockClock) -> None:
    heard: Heard = []
    async with crew_of(3, lambda bus: bus.listen("news", lambda s, p: heard.append((bus.worker, s, p)))) as crew:
        crew.switch.listen("news", lambda sender, payload: heard.append((PARENT, sender, payload)))
        crew[0].tell("news", b"a", to=2)
        crew[0].tell("news", b"b", to=PARENT)
        crew[0].tell("news", b"c", to=7)
        crew[0].tell("news", b"d", to=0)
        crew.switch.tell("news", b"e", to=1)
        await crew.settle()
    assert sorted(heard) == [(PARENT, 0, b"b"), (1, PARENT, b"e"), (2, 0, b"a")]


async def test_a_worker_knows_the_others_and_who_keeps(autojump_clock: MockClock) -> None:
    async with crew_of(3) as crew:
        assert crew[1].others == {0, 2}
        assert [crew[number].keeping for number in range(3)] == [True, False, False]
        assert crew[2].keeper == 0
        assert crew[2].standing.is_set()


async def test_who_comes_and_goes_is_told_and_the_role_passes_on_at_once(autojump_clock: MockClock) -> None:
    told: list[tuple[int, str]] = []

    def prepare(bus: Bus) -> None:
        bus.on_join(lambda worker: told.append((bus.worker, f"+{worker}")))
        bus.on_leave(lambda worker: told.append((bus.worker, f"-{worker}")))
        bus.on_role(lambda: told.append((bus.worker, f"keeper {bus.keeper}")))

    async with crew_of(2, prepare) as crew:
        assert sorted(told) == [(0, "+1"), (0, "keeper 0"), (1, "+0"), (1, "keeper 0")]
        told.clear()
        await crew.kill(0)
        assert told == [(1, "-0"), (1, "keeper 1")]
        told.clear()
        await crew.join(0)
        assert sorted(told) == [(0, "+1"), (0, "keeper 1"), (1, "+0")]


async def test_workers_and_the_parent_ask_each_other(autojump_clock: MockClock) -> None:
    async def double(sender: int, payload: bytes) -> bytes:
        await trio.sleep(0.1)
        return payload * 2 + b"%d" % sender

    async with crew_of(2, lambda bus: bus.answer("double", double)) as crew:
        crew.switch.answer("double", double)
        assert await crew[0].ask("double", b"a", 1, 1) == b"aa0"
        assert await crew[1].ask("double", b"b", PARENT, 1) == b"bb1"
        assert await crew.switch.ask("double", b"c", 0, 1) == b"cc-1"


async def test_an_ask_of_who_is_not_there_or_goes_is_a_fault_at_once(autojump_clock: MockClock) -> None:
    async def never(_: int, __: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with crew_of(2, lambda bus: bus.answer("never", never)) as crew, trio.open_nursery() as nursery:
        with pytest.raises(BusFault, match="5 is not there"):
            await crew[0].ask("never", b"", 5, 60)
        with pytest.raises(BusFault, match="5 is not there"):
            await crew.switch.ask("never", b"", 5, 60)
        began = trio.current_time()
        nursery.start_soon(crew.kill, 1)
        with pytest.raises(BusFault, match="1 is gone"):
            await crew[0].ask("never", b"", 1, 60)
        assert trio.current_time() == began


async def test_what_is_too_large_is_refused_and_not_made_good(autojump_clock: MockClock) -> None:
    joined: list[int] = []
    async with crew_of(2, lambda bus: bus.on_join(joined.append)) as crew:
        joined.clear()
        with capture_logs() as logs:
            crew[0].tell("news", bytes(5 * 1024 * 1024))
            await crew.settle()
        assert [line["event"] for line in logs] == ["bus.too_large"]
        with pytest.raises(BusFault, match="too large"):
            await crew[0].ask("news", bytes(5 * 1024 * 1024), 1, 1)
        assert joined == []


async def test_what_finds_no_room_is_counted_and_whoever_missed_it_is_told_all_again(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    heard, joined = list[bytes](), list[int]()
    async with crew_of(1, lambda bus: bus.listen("news", lambda _, payload: heard.append(payload))) as crew:
        ours, theirs = lockstep_stream_pair()
        bus = Bus(1, theirs, Outbox(500))
        bus.on_join(joined.append)
        crew.nursery.start_soon(crew.switch.attach, 1, ours)
        crew.nursery.start_soon(bus.run)
        await wait_all_tasks_blocked()
        assert joined == [0]
        with capture_logs() as logs:
            for number in range(100):  # no checkpoint between them: nothing is written meanwhile
                bus.tell("news", b"%100d" % number)
            assert 0 < bus.dropped < 100
            await wait_all_tasks_blocked()
        assert len(heard) + bus.dropped == 100
        assert joined == [0, 0]
        assert [(line["event"], line["told_again"]) for line in logs] == [("bus.dropped", [0])]


async def test_a_listener_of_joins_that_raises_does_not_keep_others_from_hearing(autojump_clock: MockClock) -> None:
    joined: list[int] = []

    def fails(_: int) -> None:
        raise ValueError("ouch")

    def prepare(bus: Bus) -> None:
        bus.on_join(fails)
        bus.on_join(joined.append)

    with capture_logs() as logs:
        async with crew_of(2, prepare):
            pass
    assert sorted(joined) == [0, 1]
    assert {line["event"] for line in logs} >= {"bus.listener_failed"}


async def test_the_parents_end_is_told_and_finishes_the_bus(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    bus, told = Bus(0, far), list[str]()
    bus.on_orphaned(lambda: told.append("orphaned"))
    faults: list[str] = []

    async def ask() -> None:
        try:
            await bus.ask("q", b"", PARENT, 60)
        except BusFault as fault:
            faults.append(str(fault))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    await near.aclose()
    with capture_logs() as logs:
        assert await bus.run() is FINISHED
    await wait_all_tasks_blocked()
    assert (told, faults) == (["orphaned"], ["q: -1 is gone"])
    assert [line["event"] for line in logs] == ["bus.orphaned"]
    bus.tell("news", b"x", to=PARENT)
    with pytest.raises(BusFault, match="not there"):
        await bus.ask("q", b"", PARENT, 60)


async def test_a_parent_that_sends_no_frames_counts_as_gone(autojump_clock: MockClock) -> None:
    near, far = memory_stream_pair()
    bus = Bus(0, far)
    await near.send_all(b"\xff\xff\xff\xff")
    with capture_logs() as logs:
        assert await bus.run() is FINISHED
    assert [line["event"] for line in logs] == ["bus.broken", "bus.orphaned"]


async def test_a_bus_that_is_run_again_goes_on_where_it_was(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """As `supervise` does after a fault of ours."""
    switch, heard = Switch(), list[bytes]()
    ours, theirs = memory_stream_pair()
    bus = Bus(0, theirs)
    bus.listen("news", lambda _, payload: heard.append(payload))
    nursery.start_soon(switch.attach, 0, ours)
    with trio.move_on_after(1):
        await bus.run()
    switch.tell("news", b"x")
    with trio.move_on_after(1):
        await bus.run()
    assert heard == [b"x"]
    assert not bus.orphaned

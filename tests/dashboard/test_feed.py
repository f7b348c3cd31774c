from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.dashboard.feed import (
    APART_S,
    HEARTBEAT,
    HEARTBEAT_S,
    HELLO,
    LONGEST_S,
    MOST_VIEWERS,
    TICK_S,
    TURN,
    Feed,
    event,
)
from lasso_trio.server.straight_body import chunk


async def build(profile: str, tick: int) -> bytes | None:
    return None if profile == "gone" else f"{profile} {tick}".encode()


async def pull(stream: AsyncIterator[bytes], n: int) -> list[bytes]:
    return [await anext(stream) for _ in range(n)]


async def test_while_nobody_looks_nothing_is_built(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    await trio.sleep(100)
    assert feed.tick == 0
    stream = feed.stream("a")
    await pull(stream, 3)
    await stream.aclose()
    ticks = feed.tick
    await trio.sleep(100)
    assert feed.tick <= ticks + 1


async def test_every_viewer_gets_the_same_bytes_once_a_second(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed, seen = Feed(build), dict[str, list[bytes]]()

    async def view(name: str) -> None:
        async with aclosing(feed.stream("a")) as stream:
            seen[name] = await pull(stream, 4)

    async with trio.open_nursery() as viewers:
        nursery.start_soon(feed.run)
        viewers.start_soon(view, "one")
        viewers.start_soon(view, "two")
    assert seen["one"] == seen["two"]
    assert seen["one"][0] == HELLO
    assert seen["one"][1].startswith(b"id: ")
    assert b"event: snapshot\ndata: a 1\n\n" in seen["one"][1]
    assert all(one is two for one, two in zip(seen["one"][1:], seen["two"][1:], strict=True))


async def test_viewers_are_served_apart_so_that_calls_get_their_turn(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed, arrived = Feed(build), list[float]()

    async def view() -> None:
        async with aclosing(feed.stream("a")) as stream:
            await pull(stream, 2)
            arrived.append(trio.current_time())
            await pull(stream, 3)

    async with trio.open_nursery() as viewers:
        for _ in range(MOST_VIEWERS):
            viewers.start_soon(view)
        await wait_all_tasks_blocked()
        nursery.start_soon(feed.run)
    steps = [later - earlier for earlier, later in pairwise(arrived)]
    assert min(steps) == pytest.approx(APART_S)
    assert arrived[-1] - arrived[0] < TICK_S


@attrs.define(eq=False)
class Straight:
    """A client's socket. `room`: how many chunks the kernel takes before one is left half written.

    `written` at once, at what times; `pieces`: what came through the web stack.
    """

    room: int = 1_000_000
    pieces: list[bytes] = attrs.field(factory=list)
    written: list[bytes] = attrs.field(factory=list)
    at: list[float] = attrs.field(factory=list)
    reads: trio.Event = attrs.field(factory=trio.Event)
    stays: bool = True

    def write(self, framed: bytes) -> bool:
        self.written.append(framed)
        self.at.append(trio.current_time())
        self.room -= 1
        return self.room >= 0

    async def finish(self) -> bool:
        if self.room < 0:
            await self.reads.wait()
            self.room = 1_000_000
        return self.stays


async def view(feed: Feed, straight: Straight) -> None:
    body: Any = straight
    async with aclosing(feed.stream("a", body=body)) as stream:
        async for piece in stream:
            straight.pieces.append(piece)


async def test_who_keeps_up_is_written_to_without_its_task(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed, body = Feed(build), Straight()
    nursery.start_soon(feed.run)
    nursery.start_soon(view, feed, body)
    await trio.sleep(100.5)
    assert feed.tick == len(body.written) == 101
    assert [chunk(event("snapshot", b"a %d" % n, feed._id(n))) for n in range(1, 102)] == body.written
    assert body.pieces == [HELLO]
    feed.close()
    await wait_all_tasks_blocked()
    assert body.pieces == [HELLO, HEARTBEAT, event("bye", b'{"reason":"draining"}')]


async def test_who_does_not_read_costs_no_tick_and_gets_the_newest_when_he_reads_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed, body = Feed(build), Straight(room=2)
    nursery.start_soon(feed.run)
    nursery.start_soon(view, feed, body)
    await trio.sleep(50.5)
    assert len(body.written) == 3
    (viewer,) = feed.viewers
    assert viewer.slot is not None
    assert b"data: a 51\n" in viewer.slot
    body.reads.set()
    await trio.sleep(2)
    assert b"data: a 53\n" in body.written[-1]
    feed.close()
    await wait_all_tasks_blocked()
    snapshots = [piece for piece in body.pieces if b"snapshot" in piece]
    assert [b"data: a 51\n" in piece for piece in snapshots] == [True]


async def test_who_has_gone_while_a_piece_was_finished_is_a_viewer_no_more(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed, body = Feed(build), Straight(room=0, stays=False)
    body.reads.set()
    nursery.start_soon(feed.run)
    await view(feed, body)
    assert body.pieces == [HELLO]
    assert not feed.viewers


async def test_a_heartbeat_is_due_only_when_nothing_was_written_for_so_long(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    known, body = {"a"}, Straight()
    feed = Feed(lambda profile, tick: build(profile if profile in known else "gone", tick))
    nursery.start_soon(feed.run)
    nursery.start_soon(view, feed, body)
    await trio.sleep(20.5)
    known.clear()
    await trio.sleep(14)
    assert body.pieces == [HELLO]
    await trio.sleep(1)
    assert body.pieces == [HELLO, HEARTBEAT]


async def test_who_is_written_to_without_its_task_ends_in_time_too(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed, body = Feed(build), Straight()
    nursery.start_soon(feed.run)
    began = trio.current_time()
    await view(feed, body)
    assert body.pieces[-1] == event("bye", b'{"reason":"renew"}')
    assert LONGEST_S <= trio.current_time() - began <= LONGEST_S + TICK_S


async def test_a_few_are_written_to_in_a_row_and_then_calls_get_their_turn(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed, bodies = Feed(build), [Straight() for _ in range(MOST_VIEWERS)]
    for body in bodies:
        nursery.start_soon(view, feed, body)
    await wait_all_tasks_blocked()
    nursery.start_soon(feed.run)
    await trio.sleep(TICK_S / 2)
    arrived = sorted(body.at[0] for body in bodies)
    steps = [later - earlier for earlier, later in pairwise(arrived[::TURN])]
    assert min(steps) == pytest.approx(APART_S)
    assert len(set(arrived)) == MOST_VIEWERS / TURN


async def test_who_leaves_while_others_are_served_is_not_written_to(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed = Feed(build)
    viewers = [feed.enter("a") for _ in range(5)]
    nursery.start_soon(feed.run)
    await wait_all_tasks_blocked()
    left = next(viewer for viewer in viewers if viewer.slot is None)
    feed.leave(left)
    await trio.sleep(TICK_S / 2)
    assert left.slot is None
    assert all(viewer.slot is not None for viewer in viewers if viewer is not left)


async def test_each_profile_has_its_own_snapshots(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    one, other = feed.stream("a"), feed.stream("b")
    await pull(one, 2)
    assert [b"data: b " in piece for piece in await pull(other, 3)] == [False, True, True]
    assert b"data: a " in (await pull(one, 1))[0]
    await one.aclose()
    await other.aclose()


async def test_who_is_slow_misses_some_and_holds_nobody_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    slow = feed.stream("a")
    await pull(slow, 2)
    await trio.sleep(50.5)
    assert b"data: a 51\n" in (await pull(slow, 1))[0]
    assert feed.tick == 51
    await slow.aclose()


async def test_when_there_is_no_news_it_says_that_it_lives(autojump_clock: MockClock) -> None:
    stream = Feed(build).stream("a")
    began = trio.current_time()
    assert await pull(stream, 2) == [HELLO, HEARTBEAT]
    assert trio.current_time() - began == HEARTBEAT_S
    await stream.aclose()


async def test_a_profile_that_is_gone_has_no_snapshots(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    stream = feed.stream("gone")
    assert await pull(stream, 2) == [HELLO, HEARTBEAT]
    await stream.aclose()


async def test_who_comes_later_gets_the_last_one_at_once_unless_he_has_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    first = feed.stream("a")
    _, text = await pull(first, 2)
    second = feed.stream("a")
    assert (await pull(second, 2))[1] is text
    third = feed.stream("a", text.split(b"\n")[0].removeprefix(b"id: ").decode())
    assert b"data: a 2\n" in (await pull(third, 2))[1]
    for stream in (first, second, third):
        await stream.aclose()


async def test_a_snapshot_made_while_a_stream_begins_comes_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    feed = Feed(build)
    stream = feed.stream("a")
    assert await pull(stream, 1) == [HELLO]
    nursery.start_soon(feed.run)
    await wait_all_tasks_blocked()
    assert [b"data: a %d\n" % n in piece for n, piece in enumerate(await pull(stream, 2), 1)] == [True, True]
    await stream.aclose()


async def test_who_comes_while_snapshots_are_built_gets_the_new_one_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def slow(profile: str, tick: int) -> bytes | None:
        await trio.sleep(0.1)
        return await build(profile, tick)

    feed = Feed(slow)
    first, other = feed.stream("a"), feed.stream("b")
    await pull(first, 1)
    await pull(other, 1)
    nursery.start_soon(feed.run)
    await trio.sleep(0.15)  # that of one profile is built
    late = [feed.stream("a"), feed.stream("b")]
    for stream in late:
        assert [b"data" in piece for piece in await pull(stream, 3)] == [False, True, True]
        assert feed.tick == 2 if stream is late[0] else feed.tick >= 2
    for stream in (first, other, *late):
        await stream.aclose()


async def test_what_was_built_when_all_had_gone_is_not_kept(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    async def slow(profile: str, tick: int) -> bytes | None:
        await trio.sleep(0.1)
        return await build(profile, tick)

    feed = Feed(slow)
    nursery.start_soon(feed.run)
    with feed.viewing("a"):
        await trio.sleep(0.05)
    await trio.sleep(0.1)
    assert not feed._last


async def test_the_first_who_looks_and_the_last_who_leaves_are_told() -> None:
    told: list[str] = []
    feed = Feed(build, on_first=lambda: told.append("first"), on_none=lambda: told.append("none"))
    with feed.viewing("a"):
        with feed.viewing("a"):
            pass
        assert told == ["first"]
    assert told == ["first", "none"]
    with feed.viewing("b"):
        assert told[2:] == ["first"]


async def test_viewers_are_bounded() -> None:
    feed = Feed(build, most=1)
    assert not feed.full
    with feed.viewing("a"):
        assert feed.full
    feed.close()
    assert feed.full


async def test_a_stream_ends_after_its_time_and_says_so(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    feed = Feed(build)
    nursery.start_soon(feed.run)
    began = trio.current_time()
    pieces = [piece async for piece in feed.stream("a")]
    assert pieces[-1] == event("bye", b'{"reason":"renew"}')
    assert LONGEST_S <= trio.current_time() - began <= LONGEST_S + HEARTBEAT_S
    assert not feed.viewers


@pytest.mark.parametrize("with_news", [True, False])
async def test_when_the_node_drains_every_stream_ends(
    autojump_clock: MockClock, nursery: trio.Nursery, with_news: bool
) -> None:
    feed, pieces = Feed(build), list[bytes]()

    async def view() -> None:
        pieces.extend([piece async for piece in feed.stream("a")])

    if with_news:
        nursery.start_soon(feed.run)
    nursery.start_soon(view)
    await wait_all_tasks_blocked()
    feed.close()
    await wait_all_tasks_blocked()
    assert pieces[-1] == event("bye", b'{"reason":"draining"}')
    assert not feed.viewers


def test_an_event_is_spelt_as_browsers_read_it() -> None:
    assert event("x", b"{}", "7") == b"id: 7\nevent: x\ndata: {}\n\n"
    assert event("x", b"{}") == b"event: x\ndata: {}\n\n"

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

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
    Feed,
    event,
)


def build(profile: str, tick: int) -> bytes | None:
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

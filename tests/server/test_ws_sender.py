"""The order on the wire, and who waits. `Narrow` takes a few bytes at a time, when the test lets it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.server.ws_sender import Sender, undelivered
from lasso_trio.subscriptions.fanout import REPLAYED
from lasso_trio.subscriptions.frames import close_frame
from lasso_trio.upstream.raw_stream import RawStream


class Narrow(trio.abc.SendStream):
    """Takes nothing until `open`. Breaks when told to."""

    def __init__(self) -> None:
        self.taken = b""
        self.gate = trio.Event()
        self.broken = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.gate.wait()
        if self.broken:
            raise trio.BrokenResourceError
        self.taken += bytes(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Made:
    sender: Sender
    stream: Narrow
    counters: WsCounters

    async def flow(self) -> bytes:
        """Let everything out; what came."""
        self.stream.gate.set()
        await wait_all_tasks_blocked()
        return self.stream.taken


def made(nursery: trio.Nursery, **limits: int) -> Made:
    stream, counters = Narrow(), WsCounters()
    return Made(Sender(stream, nursery, WsLimits(**limits), counters), stream, counters)  # type: ignore[arg-type]


async def test_frames_of_many_origins_follow_each_other_in_their_order(nursery: trio.Nursery) -> None:
    m = made(nursery)
    assert m.sender.push(b"\x81one ")
    nursery.start_soon(m.sender.send_all, b"\x81two ")
    await wait_all_tasks_blocked()
    assert m.sender.push(b"\x81three")
    assert m.sender.busy
    assert await m.flow() == b"\x81one \x81two \x81three"
    assert not m.sender.busy


async def test_one_message_more_than_is_kept_is_refused_and_nothing_of_it_is_kept(nursery: trio.Nursery) -> None:
    m = made(nursery, queue_messages=2)
    assert [m.sender.push(b"\x81%d" % n) for n in range(4)] == [True, True, True, False]  # the first is being written
    assert await m.flow() == b"\x810\x811\x812"
    assert m.counters.published == 3


async def test_bytes_are_bounded_too(nursery: trio.Nursery) -> None:
    m = made(nursery, queue_bytes=10)
    assert m.sender.push(b"\x81" * 100)  # begun, not kept
    assert m.sender.push(b"\x81" * 10)
    assert not m.sender.push(b"\x81")


async def test_when_it_has_flown_off_there_is_room_again(nursery: trio.Nursery) -> None:
    m = made(nursery, queue_messages=1)
    for _ in range(3):
        assert m.sender.push(b"\x81a")
        assert m.sender.push(b"\x81b")
        await m.flow()
        m.stream.gate = trio.Event()
    assert m.stream.taken == b"\x81a\x81b" * 3


async def test_answers_are_not_bounded_they_wait(nursery: trio.Nursery) -> None:
    m = made(nursery, queue_messages=1, queue_bytes=1)
    done: list[int] = []

    async def answer(n: int) -> None:
        await m.sender.send_all(b"\x81%d" % n)
        done.append(n)

    for n in range(5):
        nursery.start_soon(answer, n)
        await wait_all_tasks_blocked()
    assert done == []
    assert await m.flow() == b"\x810\x811\x812\x813\x814"
    assert sorted(done) == [0, 1, 2, 3, 4]


async def test_a_newer_event_of_a_topic_takes_the_place_of_the_one_that_waits(nursery: trio.Nursery) -> None:
    m = made(nursery, queue_messages=1)
    m.sender.push(b"\x81begun", "heads")
    for n in range(9):
        assert m.sender.push(b"\x81%d" % n, "heads")
    assert await m.flow() == b"\x81begun\x818"
    assert m.counters.conflated == 8


async def test_a_topic_that_was_written_is_not_replaced(nursery: trio.Nursery) -> None:
    m = made(nursery)
    m.sender.push(b"\x81begun")
    m.sender.push(b"\x81a", "heads")
    await m.flow()
    m.stream.gate = trio.Event()
    m.sender.push(b"\x81b", "heads")
    m.sender.push(b"\x81c", "heads")
    assert await m.flow() == b"\x81begun\x81a\x81b\x81c"
    assert m.counters.conflated == 0


async def test_a_replay_may_be_longer_than_what_is_kept_of_live_events_and_these_follow_it(
    nursery: trio.Nursery,
) -> None:
    m = made(nursery, queue_messages=1, queue_bytes=2, max_held_bytes=40)
    replay = [b"\x81%d" % n for n in range(10, 20)]
    assert all(m.sender.push(frame, REPLAYED) for frame in replay)
    assert m.sender.push(b"\x81l")
    assert not m.sender.push(b"\x81m")
    assert await m.flow() == b"".join(replay) + b"\x81l"


async def test_a_replay_is_bounded_and_makes_room_again(nursery: trio.Nursery) -> None:
    m = made(nursery, max_held_bytes=4)
    assert [m.sender.push(b"\x81ab", REPLAYED) for _ in range(3)] == [True, True, False]  # the first is being written
    await m.flow()
    m.stream.gate = trio.Event()
    assert [m.sender.push(b"\x81ab", REPLAYED) for _ in range(3)] == [True, True, False]


async def test_a_cancelled_answer_goes_out_whole(nursery: trio.Nursery) -> None:
    m = made(nursery)
    with trio.CancelScope() as scope:
        scope.cancel()
        await m.sender.send_all(b"\x81answer")
    assert await m.flow() == b"\x81answer"
    await m.sender.send_all(b"\x81next")
    assert m.stream.taken == b"\x81answer\x81next"


async def test_nothing_follows_a_close(nursery: trio.Nursery) -> None:
    m = made(nursery)
    m.stream.gate.set()
    await m.sender.send_all(close_frame(1000, ""))
    with pytest.raises(trio.ClosedResourceError):
        await m.sender.send_all(b"\x81late")
    assert m.sender.push(b"\x81late")
    await m.sender.finish(close_frame(1001, ""), drop=True)
    assert await m.flow() == close_frame(1000, "")


@pytest.mark.parametrize(("drop", "between"), [(False, b"\x81waits"), (True, b"")])
async def test_the_last_word_comes_after_what_waits_or_instead_of_it(
    nursery: trio.Nursery, drop: bool, between: bytes
) -> None:
    m = made(nursery)
    m.sender.push(b"\x81begun")
    m.sender.push(b"\x81waits")
    nursery.start_soon(lambda: m.sender.finish(close_frame(1013, "slow"), drop=drop))
    await wait_all_tasks_blocked()
    assert await m.flow() == b"\x81begun" + between + close_frame(1013, "slow")


async def test_who_waits_for_a_client_that_went_is_told_and_who_does_not_is_not_bothered(nursery: trio.Nursery) -> None:
    m = made(nursery)
    m.stream.broken = True
    m.sender.push(b"\x81a")
    told: list[bool] = []

    async def answer() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await m.sender.send_all(b"\x81b")
        told.append(True)

    nursery.start_soon(answer)
    nursery.start_soon(answer)
    await wait_all_tasks_blocked()
    await m.flow()
    assert told == [True, True]
    assert m.sender.push(b"\x81c")
    with pytest.raises(trio.BrokenResourceError):
        await m.sender.send_all(b"\x81d")


async def test_progress_is_seen_piece_by_piece(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    m = made(nursery)
    m.sender.push(b"\x81" * 300_000)
    await trio.sleep(5)
    assert m.sender.progress_at == 0
    await m.flow()
    assert m.sender.progress_at == 5


# Over a socket…


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, RawStream]]:
    theirs, ours = socket.socketpair()
    theirs.setblocking(False)
    stream = RawStream(ours)
    yield theirs, stream
    stream.close()
    theirs.close()


async def test_what_the_kernel_takes_is_written_at_once_and_no_task_is_made(
    nursery: trio.Nursery, sockets: tuple[socket.socket, RawStream]
) -> None:
    theirs, ours = sockets
    sender = Sender(ours, nursery, WsLimits(), WsCounters())
    tasks = len(nursery.child_tasks)
    assert sender.push(b"\x81now")
    assert (theirs.recv(99), sender.busy, len(nursery.child_tasks)) == (b"\x81now", False, tasks)


async def test_what_the_kernel_does_not_take_follows_whole_and_in_order(
    nursery: trio.Nursery, sockets: tuple[socket.socket, RawStream]
) -> None:
    theirs, ours = sockets
    sender = Sender(ours, nursery, WsLimits(queue_bytes=1 << 30), WsCounters())
    frames = [bytes([0x81, n]) * 200_000 for n in range(8)]
    for frame in frames:
        assert sender.push(frame)
    assert sender.busy
    got = b""
    while len(got) < sum(map(len, frames)):
        await trio.lowlevel.wait_readable(theirs)
        got += theirs.recv(1 << 20)
    assert got == b"".join(frames)


def narrow_pair() -> tuple[socket.socket, RawStream]:
    """Over TCP, with little room at the client's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.socket()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        theirs.connect(listener.getsockname())
        theirs.setblocking(False)
        return theirs, RawStream(listener.accept()[0])


async def test_a_client_that_takes_a_little_of_a_long_frame_is_not_stuck_and_one_that_takes_nothing_is(
    nursery: trio.Nursery,
) -> None:
    theirs, ours = narrow_pair()
    sender, now = Sender(ours, nursery, WsLimits(), WsCounters()), trio.current_time()
    assert sender.stuck_s(now) == 0
    sender.push(b"\x81" * 16_000_000)
    await wait_all_tasks_blocked()
    taken = 0
    for later in (10, 20, 30):
        while sender.stuck_s(now + later):
            with suppress(BlockingIOError):
                taken += len(theirs.recv(4096))
            assert taken < 100_000  # far less than a piece, and than what makes our kernel take more
            await trio.sleep(0.001)
    await trio.sleep(0.2)  # acknowledgements may be a little late
    stuck_s = sender.stuck_s(now + 40)
    assert sender.stuck_s(now + 50) == stuck_s + 10
    theirs.close()
    ours.close()


async def test_each_write_that_the_kernel_takes_is_progress(
    nursery: trio.Nursery, sockets: tuple[socket.socket, RawStream]
) -> None:
    theirs, ours = sockets
    ours.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sender = Sender(ours, nursery, WsLimits(), WsCounters())
    sender.push(b"\x81" * 100_000)  # less than a piece
    began = sender.progress_at
    while sender.progress_at == began:
        with suppress(BlockingIOError):
            theirs.recv(4096)
        await trio.lowlevel.checkpoint()
    assert sender.busy


def test_of_a_socket_that_was_closed_the_kernel_tells_nothing() -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        stream = RawStream(ours)
        stream.socket.close()
        assert undelivered(stream) == -1


async def test_a_task_that_only_answers_lets_others_run(
    nursery: trio.Nursery, sockets: tuple[socket.socket, RawStream]
) -> None:
    _, ours = sockets
    sender = Sender(ours, nursery, WsLimits(), WsCounters())
    ran = trio.Event()

    async def other() -> None:
        ran.set()

    nursery.start_soon(other)
    for _ in range(100):
        await sender.send_all(b"\x81x")
    assert ran.is_set()


async def test_a_client_that_reset_its_connection_is_found_gone(
    nursery: trio.Nursery, sockets: tuple[socket.socket, RawStream]
) -> None:
    theirs, ours = sockets
    theirs.close()
    sender = Sender(ours, nursery, WsLimits(), WsCounters())
    assert sender.push(b"\x81x")
    assert sender.broken
    assert not sender.busy

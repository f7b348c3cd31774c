"""RawStream keeps trio's stream contract where it matters and is honest where it departs from it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.raw_stream import FAIR_SENDS, NothingSent, RawStream


@pytest.fixture
def pair() -> Iterator[tuple[RawStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = RawStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


async def test_bytes_go_both_ways(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    await stream.send_all(b"question")
    assert peer.recv(100) == b"question"
    peer.send(b"answer")
    assert await stream.receive_some() == b"answer"
    peer.close()
    assert await stream.receive_some() == b""


async def test_a_send_beyond_the_kernels_buffer_waits_and_arrives_whole(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    reader = RawStream(peer)
    payload = bytes(range(256)) * 20_000
    got = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, payload)
        while len(got) < len(payload):
            got += await reader.receive_some()
    assert bytes(got) == payload


async def test_a_second_send_while_one_waits_is_refused(pair: tuple[RawStream, socket.socket]) -> None:
    stream, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, bytes(10_000_000))
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await stream.send_all(b"x")
        with pytest.raises(trio.BusyResourceError):
            await stream.wait_send_all_might_not_block()
        nursery.cancel_scope.cancel()


async def test_a_second_reader_is_refused(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await stream.receive_some()
        peer.send(b"x")


async def test_a_cancelled_read_loses_nothing(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    with trio.move_on_after(0):
        await stream.receive_some()
    peer.send(b"late")
    assert await stream.receive_some() == b"late"


async def test_a_task_that_only_sends_lets_others_run(pair: tuple[RawStream, socket.socket]) -> None:
    stream, _ = pair
    ran = False

    async def other() -> None:
        nonlocal ran
        ran = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(2 * FAIR_SENDS):  # trio shuffles a batch: the second yield is certain
            await stream.send_all(b".")
        assert ran


async def test_closing_is_idempotent_and_wakes_the_reader(pair: tuple[RawStream, socket.socket]) -> None:
    stream, _ = pair
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        await wait_all_tasks_blocked()
        stream.close()
        await stream.aclose()
    assert repr(stream) == "<RawStream closed>"
    for refused in (stream.receive_some(), stream.send_all(b"x"), stream.send_eof()):
        with pytest.raises(trio.ClosedResourceError):
            await refused


async def test_closing_between_wake_up_and_read_says_closed(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        peer.send(b"x")
        stream.close()


async def test_a_gone_peer_is_told_apart_by_whether_anything_was_sent(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    peer.close()
    with pytest.raises(NothingSent):
        await stream.send_all(b"x")


async def test_a_peer_that_resets_breaks_the_read() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stream = RawStream(socket.create_connection(listener.getsockname()))
    peer, _ = listener.accept()
    await stream.send_all(b"unread bytes make the close a reset")
    peer.close()
    listener.close()
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()
    await stream.aclose()


async def test_a_peer_that_goes_in_the_middle_of_a_send_breaks_it(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.send_all(bytes(10_000_000))
            assert not isinstance(caught.value, NothingSent)

        await wait_all_tasks_blocked()
        peer.close()


async def test_readable_means_bytes_or_the_end(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    assert not stream.is_readable()
    peer.send(b"x")
    assert stream.is_readable()
    assert await stream.receive_some() == b"x", "peeking takes nothing"
    assert not stream.is_readable()
    peer.close()
    assert stream.is_readable()
    stream.close()
    assert stream.is_readable()


async def test_half_closing_ends_our_direction_only(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    await stream.wait_send_all_might_not_block()
    await stream.send_eof()
    await stream.send_eof()
    assert peer.recv(1) == b""
    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"x")
    peer.send(b"still here")
    assert await stream.receive_some() == b"still here"


def test_it_can_be_closed_outside_a_run() -> None:
    ours, theirs = socket.socketpair()
    RawStream(ours).close()
    theirs.close()
    assert ours.fileno() == -1

from __future__ import annotations

import socket

import trio
from trio.testing import memory_stream_pair

from lasso_trio.upstream.raw_stream import RawStream, Traffic
from lasso_trio.upstream.traffic import count


def pair() -> tuple[RawStream, RawStream]:
    left, right = socket.socketpair()
    return RawStream(left), RawStream(right)


async def test_bytes_are_counted_where_the_streams_owner_wants_them() -> None:
    one, other = pair()
    traffic = Traffic()
    count(one, traffic)
    await one.send_all(b"four")
    await other.receive_some()
    await other.send_all(b"seven!!")
    await one.receive_some()
    assert (traffic.sent, traffic.received) == (4, 7)
    one.close()
    other.close()


async def test_what_the_kernel_takes_bit_by_bit_is_counted_once() -> None:
    one, other = pair()
    size, got = 3_000_000, 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send_all, bytes(size))
        while got < size:
            got += len(await other.receive_some())
    assert (one.traffic.sent, other.traffic.received) == (size, size)
    one.close()
    other.close()


async def test_a_stream_without_a_socket_counts_nothing() -> None:
    stream, _ = memory_stream_pair()
    traffic = Traffic()
    count(stream, traffic)
    await stream.send_all(b"x")
    assert (traffic.sent, traffic.received) == (0, 0)

from __future__ import annotations

import socket

import pytest
from trio.testing import memory_stream_pair

from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.upstream.raw_stream import RawStream


async def test_replayed_bytes_come_first_then_the_streams_own() -> None:
    ours, theirs = memory_stream_pair()
    stream = ReplayStream(ours, b"head")
    await theirs.send_all(b"tail")
    assert stream.replay == b"head"
    assert await stream.receive_some(3) == b"hea"
    assert await stream.receive_some() == b"d"
    assert await stream.receive_some() == b"tail"
    await theirs.send_eof()
    assert await stream.receive_some() == b""


async def test_the_rest_is_the_streams() -> None:
    ours, theirs = memory_stream_pair()
    stream = ReplayStream(ours, b"x")
    await stream.wait_send_all_might_not_block()
    await stream.send_all(b"answer")
    await stream.send_eof()
    assert await theirs.receive_some() == b"answer"
    assert await theirs.receive_some() == b""
    await stream.aclose()


async def test_socket_is_the_accepted_one_or_none() -> None:
    left, right = socket.socketpair()
    with right:
        raw = RawStream(left)
        assert ReplayStream(raw, b"").socket is left
        assert ReplayStream(raw, b"").raw is raw
        await raw.aclose()
    with pytest.raises(AttributeError):
        _ = ReplayStream(memory_stream_pair()[0], b"").socket

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from lasso_trio.server.bounded_send import BoundedSend
from lasso_trio.server.replay_stream import ReplayStream


async def test_send_that_nobody_takes_breaks_the_stream_even_inside_a_shield(autojump_clock: MockClock) -> None:
    ours, theirs = lockstep_stream_pair()
    stream = BoundedSend(ReplayStream(ours, b""), 15)
    began = trio.current_time()
    with trio.CancelScope(shield=True), pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")
    assert trio.current_time() - began == 15
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    await theirs.aclose()


async def test_everything_else_is_the_streams() -> None:
    ours, theirs = memory_stream_pair()
    stream = BoundedSend(ReplayStream(ours, b"a"), 15)
    await stream.wait_send_all_might_not_block()
    await stream.send_all(b"b")
    assert await stream.receive_some() == b"a"
    assert await theirs.receive_some() == b"b"
    await stream.send_eof()
    await stream.aclose()
    assert await theirs.receive_some() == b""
    with pytest.raises(AttributeError):
        _ = stream.socket

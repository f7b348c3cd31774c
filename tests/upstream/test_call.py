"""A call can be waited for in parts, and gives everything back whichever way it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import Disconnected
from lasso_trio.upstream.http1 import Pool

if TYPE_CHECKING:
    from tests.upstream.conftest import Line, Provider


async def slow(line: Line) -> None:
    while await line.read_request() is not None:
        for piece in (b"HTTP/1.1 200", b" OK\r\nContent-Length: 5\r\n", b"\r\nhe", b"llo"):
            await trio.sleep(1)
            await line.say(piece)


async def test_a_wait_cut_into_small_parts_gives_the_one_answer(
    provider: Provider, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = slow
    pool = Pool(provider.endpoint, dial=provider.dial)
    call = pool.call(b"x", replay_safe=False)
    assert repr(call) == "<Call http://provider.test begun>"
    parts = 0
    while True:
        parts += 1
        with trio.move_on_after(0.3):
            reply = await call.answer()
            break
    assert parts > 10
    assert reply.body == b"hello"
    assert provider.lines[0].requests == 1, "the request was sent once"
    assert reply.timings.first_byte == pytest.approx(1, abs=0.01)
    assert reply.timings.last_byte == pytest.approx(4, abs=0.01)
    assert (pool.busy, pool.idle) == (0, 1)


async def test_abandoning_at_any_point_gives_everything_back(
    provider: Provider, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = slow
    pool = Pool(provider.endpoint, dial=provider.dial)
    for patience in (0, 0.5, 1.5, 2.5, 3.5):
        call = pool.call(b"x", replay_safe=True)
        with trio.move_on_after(patience):
            await call.answer()
        assert call.sent is (patience > 0)
        call.abandon()
        call.abandon()
        assert (pool.busy, pool.idle, provider.open_lines) == (0, 0, 0)


async def test_a_cancelled_dial_is_made_again(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    gate = trio.Event()
    provider.before_dial = gate.wait
    call = pool.call(b"x", replay_safe=False)
    with trio.move_on_after(1):
        await call.answer()
    assert pool.busy == 0
    gate.set()
    assert (await call.answer()).body == b"x"


async def test_a_cut_request_is_never_finished_or_reused(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def dial() -> Dialled:
        return Dialled(Lockstep(ours))

    pool = Pool(provider.endpoint, dial=dial)
    call = pool.call(b"x", replay_safe=True)
    with trio.move_on_after(1):
        await call.answer()
    assert not call.sent
    assert "sending" in repr(call)
    with pytest.raises(Disconnected) as caught:
        await call.answer()
    assert (caught.value.reason, caught.value.local) == ("send_cut", True)
    assert pool.counters.closed == {"send_cut": 1}
    assert (pool.busy, pool.idle) == (0, 0)
    await theirs.aclose()


async def test_a_send_that_is_cancelled_closes_at_once(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def dial() -> Dialled:
        return Dialled(Lockstep(ours))

    pool = Pool(provider.endpoint, dial=dial)
    with trio.move_on_after(1):
        await pool.exchange(b"x", replay_safe=True)
    assert pool.counters.closed == {"send_cut": 1}
    assert (pool.busy, pool.idle) == (0, 0)
    await theirs.aclose()


async def test_a_call_that_lost_its_turn_queues_again(provider: Provider) -> None:
    gate = trio.Event()

    async def gated(line: Line) -> None:
        while await line.read_request() is not None:
            await gate.wait()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    provider.script = gated
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: pool.exchange(b"x", replay_safe=True))
        await wait_all_tasks_blocked()
        call = pool.call(b"x", replay_safe=True)
        with trio.move_on_after(0):
            await call.answer()
        assert pool.waiting == 0
        gate.set()
        assert (await call.answer()).body == b"ok"
    assert (pool.busy, pool.idle, len(provider.lines)) == (0, 1, 1)


class Lockstep(trio.abc.Stream):
    """A lockstep stream that can be closed without a checkpoint, as `RawStream` can."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.inner = stream
        self.send_all = stream.send_all  # type: ignore[method-assign]
        self.receive_some = stream.receive_some  # type: ignore[method-assign]

    async def send_all(self, data: bytes) -> None: ...
    async def receive_some(self, max_bytes: int | None = None) -> bytes: ...
    async def wait_send_all_might_not_block(self) -> None: ...
    async def aclose(self) -> None: ...

    def close(self) -> None:
        pass

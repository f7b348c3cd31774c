"""What a wire adds to its stream. (How sessions end by it: test_websocket.)"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from lasso_trio.upstream.ws_wire import Wire


@pytest.fixture
def pair() -> tuple[Wire, trio.StapledStream]:
    ours, theirs = trio.testing.lockstep_stream_pair()
    return Wire(ours), theirs


async def test_a_send_that_is_not_taken_is_given_up(
    autojump_clock: object, pair: tuple[Wire, trio.StapledStream]
) -> None:
    wire, _ = pair
    with pytest.raises(trio.BrokenResourceError):
        await wire.send_all(b"hello")
    assert (wire.cut, wire.stalled, trio.current_time()) == (True, True, 10)


async def test_a_cancelled_send_is_a_cut_and_one_that_is_taken_is_none(
    autojump_clock: object, pair: tuple[Wire, trio.StapledStream]
) -> None:
    wire, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.send_all, b"hello")
        assert await theirs.receive_some(100) == b"hello"
    assert not wire.cut
    with trio.move_on_after(1):
        await wire.send_all(b"again")
    assert (wire.cut, wire.stalled) == (True, False)


async def test_an_end_is_no_error_and_ends_the_wait_for_an_upgrade(pair: tuple[Wire, trio.StapledStream]) -> None:
    wire, theirs = pair
    await theirs.aclose()
    with trio.CancelScope() as wire.opening:
        assert await wire.receive_some(100) == b""
        await trio.lowlevel.checkpoint()
        raise AssertionError("it was cancelled")
    assert wire.ended
    with pytest.raises(trio.BrokenResourceError):
        await wire.send_all(b"hello")
    await wire.aclose()
    assert await wire.receive_some(100) == b""


async def test_the_status_of_an_upgrades_answer_is_read(nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = Wire(ours)
    wire.opening = trio.CancelScope()
    await theirs.send_all(b"HTTP/1.1 503 Later\r\n")
    await wire.receive_some(100)
    await theirs.send_all(b"retry-after: 7\r\n")
    await wire.receive_some(100)
    assert (wire.status, wire.ended) == (503, False)


async def test_a_goodbye_is_over_when_it_is_sent(nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = Wire(ours)
    await wire.wait_send_all_might_not_block()
    with trio.CancelScope() as wire.closing:
        await wire.send_all(b"bye")
        await trio.sleep_forever()
    assert await theirs.receive_some(100) == b"bye"

"""What waits to be written: bounded, and made good."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, wait_all_tasks_blocked

from lasso_trio.workers.outbox import Outbox


async def received(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    data = b""
    with trio.fail_after(5):
        while len(data) < size:
            data += await stream.receive_some()
    return data


async def test_everything_is_written_in_order(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    near, far = lockstep_stream_pair()
    box = Outbox()
    nursery.start_soon(box.write_to, near)
    for part in (b"a", b"b" * 100_000, b"c"):
        assert box.put(part)
    assert await received(far, 100_002) == b"a" + b"b" * 100_000 + b"c"
    await wait_all_tasks_blocked()
    assert box.put(b"d")
    assert await received(far, 1) == b"d"
    await wait_all_tasks_blocked()
    assert repr(box) == "<Outbox 0 bytes dropped=0>"


async def test_what_does_not_fit_is_dropped_and_told_of_when_there_is_room(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    near, far = lockstep_stream_pair()
    box, relieved = Outbox(10), list[int]()
    box.relieved = lambda: relieved.append(1)
    assert box.put(b"12345678")
    assert not box.put(b"abc")
    assert not box.put(b"def")
    assert box.dropped == 2
    assert box.put(b"9")
    nursery.start_soon(box.write_to, near)
    await wait_all_tasks_blocked()
    assert relieved == []
    assert await received(far, 9) == b"123456789"
    await wait_all_tasks_blocked()
    assert relieved == [1]
    assert box.put(b"0123456789")
    assert await received(far, 10) == b"0123456789"
    await wait_all_tasks_blocked()
    assert relieved == [1]


async def test_what_must_not_be_lost_goes_in_whatever_waits(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    near, far = lockstep_stream_pair()
    box = Outbox(4)
    assert box.put(b"full")
    box.press(b"!")
    assert box.dropped == 0
    nursery.start_soon(box.write_to, near)
    assert await received(far, 5) == b"full!"


async def test_nobody_need_care_for_room(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    near, far = lockstep_stream_pair()
    box = Outbox(1)
    assert box.put(b"1")
    assert not box.put(b"2")
    nursery.start_soon(box.write_to, near)
    assert await received(far, 1) == b"1"


async def test_a_broken_stream_is_told_to_who_writes() -> None:
    near, far = lockstep_stream_pair()
    box = Outbox()
    box.press(b"x")
    await far.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await box.write_to(near)

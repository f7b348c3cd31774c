from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from lasso_trio.shared.line import EngineFault
from lasso_trio.shared.writing import BATCH, BATCH_BYTES, MOST_BYTES, Task, Writing
from tests.shared.engine import FakeEngine


@asynccontextmanager
async def writing(engine: FakeEngine) -> AsyncIterator[Writing]:
    made = Writing(engine.lane("cache_write"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.lane.run, made.run)
        yield made
        nursery.cancel_scope.cancel()


def setting(key: bytes) -> Task:
    return lambda: ("SET", key, b"v", "PX", 1)


async def test_what_is_offered_is_done_in_order_in_batches(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    async with writing(engine) as made:
        for n in range(BATCH + 5):
            made.offer(setting(b"%d" % n))
        await trio.sleep(1)
        assert [len(batch) for batch in engine.asked] == [BATCH, 5]
        assert [command[1] for batch in engine.asked for command in batch] == [b"%d" % n for n in range(BATCH + 5)]
        assert (made.held, len(made), made.dropped) == (0, 0, 0)


async def test_large_ones_make_smaller_batches(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    async with writing(engine) as made:
        for n in range(4):
            made.offer(setting(b"%d" % n), BATCH_BYTES // 2)
        await trio.sleep(1)
        assert [len(batch) for batch in engine.asked] == [2, 2]


async def test_a_queue_without_room_drops_what_comes(autojump_clock: trio.testing.MockClock) -> None:
    async with writing(FakeEngine(unreachable=True)) as made:
        for n in range(20):
            made.offer(setting(b"%d" % n), MOST_BYTES // 10)
        assert made.held <= MOST_BYTES
        assert made.dropped == 20 - len(made)


async def test_a_refused_batch_is_dropped_and_the_next_is_tried_after_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    engine = FakeEngine(fault=EngineFault("full"))
    async with writing(engine) as made:
        made.offer(setting(b"a"))
        await trio.sleep(30)
        assert (made.dropped, made.lane.reason) == (1, "full")
        engine.fault = None
        made.offer(setting(b"b"))
        await trio.sleep(6)
        assert list(engine.values) == [b"b"]
        assert made.lane.up

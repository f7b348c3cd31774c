"""A slot is never lost and never given twice, whoever is cancelled whenever."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.slots import Slots


async def test_waiters_are_served_in_order_with_or_without_a_thing() -> None:
    slots: Slots[str] = Slots(1)
    got: list[tuple[int, str | None]] = []

    async def wait(number: int) -> None:
        got.append((number, await slots.wait()))

    assert slots.try_take()
    assert not slots.try_take()
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, number)
            await wait_all_tasks_blocked()
        assert repr(slots) == "<Slots busy=1/1 waiting=3>"
        slots.give_back()
        await wait_all_tasks_blocked()
        assert slots.hand_over("thing")
        await wait_all_tasks_blocked()
        slots.give_back()
    assert got == [(0, None), (1, "thing"), (2, None)]
    assert not slots.hand_over("thing"), "nobody waits: it stays the caller's"
    assert slots.busy == 1
    slots.give_back()
    assert slots.busy == 0


async def test_a_cancelled_waiter_is_passed_over() -> None:
    slots: Slots[str] = Slots(1)
    slots.try_take()
    with trio.move_on_after(0):
        await slots.wait()
    assert slots.waiting == 0
    slots.give_back()
    assert slots.busy == 0


async def test_a_waiter_cancelled_after_the_hand_over_is_an_owner() -> None:
    slots: Slots[str] = Slots(1)
    slots.try_take()
    scope = trio.CancelScope()

    async def wait() -> None:
        with scope:
            assert await slots.wait() == "thing"
            slots.give_back()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        slots.hand_over("thing")
        scope.cancel()
    assert slots.busy == 0


async def test_turning_away_reaches_everybody() -> None:
    slots: Slots[str] = Slots(1)
    slots.try_take()

    async def wait() -> None:
        with pytest.raises(KeyError):
            await slots.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        slots.turn_away(KeyError("closed"))
    assert (slots.busy, slots.waiting) == (1, 0)

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.turns import Turns


async def test_so_many_have_a_turn_and_the_others_get_theirs_in_order(nursery: trio.Nursery) -> None:
    turns, got = Turns(2), list[tuple[int, bool]]()

    async def wants(n: int) -> None:
        got.append((n, await turns.take()))

    for n in range(4):
        nursery.start_soon(wants, n)
        await wait_all_tasks_blocked()
    assert got == [(0, False), (1, False)]
    turns.give_back()
    await wait_all_tasks_blocked()
    assert got[2:] == [(2, True)]
    turns.give_back()
    await wait_all_tasks_blocked()
    assert got[3:] == [(3, True)]
    assert repr(turns) == "<Turns free=0 of 2>"


async def test_who_gives_up_waiting_has_taken_none(nursery: trio.Nursery) -> None:
    turns = Turns(1)
    await turns.take()
    with trio.move_on_after(0) as scope:
        await turns.take()
    assert scope.cancelled_caught
    turns.give_back()
    assert not await turns.take()


async def test_none_is_given_back_that_was_not_taken() -> None:
    turns = Turns(1)
    assert repr(turns) == "<Turns free=1 of 1>"
    await turns.take()
    turns.give_back()
    with pytest.raises(ValueError, match="semaphore released too many times"):
        turns.give_back()

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.dashboard.shared_pages import FRESH_S, LONGEST_FRESH_S, MOST_PAGES, REST, Row, SharedPages


class Maker:
    """Makes pages that say which they are; each takes `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.made, self.at_once, self.most = seconds, 0, 0, 0

    async def __call__(self) -> Row:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        self.made += 1
        return {"made": self.made}


async def test_all_who_ask_while_it_is_fresh_get_the_same(autojump_clock: MockClock) -> None:
    pages, make = SharedPages(), Maker(0.001)
    async with trio.open_nursery() as viewers:
        for _ in range(20):
            viewers.start_soon(pages.get, "a", make)
    assert (make.made, make.most) == (1, 1)
    assert await pages.get("a", make) == b'{"made":1}'
    await trio.sleep(FRESH_S)
    assert await pages.get("a", make) == b'{"made":2}'


async def test_what_is_not_awaited_is_made_too() -> None:
    assert await SharedPages().get("a", lambda: {"n": 1}) == b'{"n":1}'


@pytest.mark.parametrize(("took", "fresh"), [(0.001, 5.0), (0.3, 0.3 * REST), (9.0, LONGEST_FRESH_S)])
async def test_what_cost_much_is_fresh_for_long(autojump_clock: MockClock, took: float, fresh: float) -> None:
    pages, make = SharedPages(), Maker(took)
    await pages.get("a", make, 5.0)
    await trio.sleep(fresh - 0.01)
    await pages.get("a", make, 5.0)
    assert make.made == 1
    await trio.sleep(0.02)
    await pages.get("a", make, 5.0)
    assert make.made == 2


async def test_a_page_that_takes_long_keeps_no_other_waiting(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    pages = SharedPages()
    nursery.start_soon(pages.get, "large", Maker(30.0))
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(1):
        await pages.get("small", Maker())


async def test_who_leaves_while_it_is_made_spoils_it_for_nobody(autojump_clock: MockClock) -> None:
    pages, make = SharedPages(), Maker(2.0)
    with trio.move_on_after(1):
        await pages.get("a", make)
    assert await pages.get("a", make) == b'{"made":1}'


async def test_a_page_that_cannot_be_made_is_tried_again(autojump_clock: MockClock) -> None:
    pages = SharedPages()

    def failing() -> Row:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        await pages.get("a", failing)
    assert await pages.get("a", Maker()) == b'{"made":1}'


async def test_memory_is_bounded_and_the_freshest_stay(autojump_clock: MockClock) -> None:
    pages, dear = SharedPages(), Maker(1.0)
    await pages.get("dear", dear)
    for number in range(3 * MOST_PAGES):
        await pages.get(f"p{number}", Maker())
    assert len(pages._pages) == MOST_PAGES
    await pages.get("dear", dear)
    assert dear.made == 1

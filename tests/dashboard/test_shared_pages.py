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


class Cpu:
    """The thread's clock: it goes on when somebody works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


class Worker(Maker):
    """Works twice, and others work in between."""

    def __init__(self, cpu: Cpu, own: float, others: float) -> None:
        super().__init__()
        self.cpu, self.own, self.others = cpu, own, others

    async def __call__(self) -> Row:
        self.cpu.work(self.own / 2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._others)
        self.cpu.work(self.own / 2)
        return await super().__call__()

    async def _others(self) -> None:
        self.cpu.work(self.others)
        await trio.sleep(self.others)


async def stays_fresh(pages: SharedPages, make: Maker, seconds: float) -> None:
    """For so long from now and no longer."""
    await pages.get("a", make, 5.0)
    await trio.sleep(seconds - 0.01)
    await pages.get("a", make, 5.0)
    assert make.made == 1
    await trio.sleep(0.02)
    await pages.get("a", make, 5.0)
    assert make.made == 2


@pytest.mark.parametrize(("cost", "fresh"), [(0.001, 5.0), (0.3, 0.3 * REST), (9.0, LONGEST_FRESH_S)])
async def test_what_cost_much_is_fresh_for_long(autojump_clock: MockClock, cost: float, fresh: float) -> None:
    cpu = Cpu()
    await stays_fresh(SharedPages(cpu), Worker(cpu, cost, 0.0), fresh)


@pytest.mark.parametrize(("own", "fresh"), [(0.001, 5.0), (0.3, 0.3 * REST)])
async def test_what_others_do_while_it_is_made_is_not_its_cost(
    autojump_clock: MockClock, own: float, fresh: float
) -> None:
    cpu = Cpu()
    await stays_fresh(SharedPages(cpu), Worker(cpu, own, 2.0), fresh)


async def test_what_is_made_at_once_has_its_cost_too(autojump_clock: MockClock) -> None:
    cpu, made = Cpu(), list[int]()
    pages = SharedPages(cpu)

    def make() -> Row:
        cpu.work(0.5)
        made.append(1)
        return {}

    await pages.get("a", make)
    await trio.sleep(0.5 * REST - 0.01)
    await pages.get("a", make)
    assert len(made) == 1


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


async def test_what_a_page_meets_with_on_its_way_it_may_live_with(autojump_clock: MockClock) -> None:
    async def make() -> Row:
        with trio.move_on_after(1.0) as patience:
            await trio.sleep_forever()
        return {"in_time": not patience.cancelled_caught, "slept": await trio.sleep(1.0)}

    assert await SharedPages().get("a", make) == b'{"in_time":false,"slept":null}'


async def test_memory_is_bounded_and_the_freshest_stay(autojump_clock: MockClock) -> None:
    cpu = Cpu()
    pages, dear = SharedPages(cpu), Worker(cpu, 1.0, 0.0)
    await pages.get("dear", dear)
    for number in range(3 * MOST_PAGES):
        await pages.get(f"p{number}", Maker())
    assert len(pages._pages) == MOST_PAGES
    await pages.get("dear", dear)
    assert dear.made == 1

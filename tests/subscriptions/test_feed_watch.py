"""Feeds that are judged without a stream: what happens is made up, and so is the time."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.devnet import Chain
from lasso_trio.subscriptions.feed_quality import FeedQuality, Trouble
from lasso_trio.subscriptions.feed_set import FeedSet, OpenFeed
from lasso_trio.subscriptions.feed_watch import AGAIN_S, KEPT_S, MOST_MISSES, FeedWatch
from tests.subscriptions.simulated import SimulatedSource

SILENCE_S = 5.0
LATE_S = 1.0


@attrs.define(eq=False)
class Court:
    """Feeds `a` and `b`, and others that are free; one thing happens each second."""

    watch: FeedWatch
    happened: int = 0

    @classmethod
    async def of(cls, nursery: trio.Nursery, providers: str = "abc", silent_after: int = 2) -> Court:
        sources = [SimulatedSource(name, Chain(block_time=None)) for name in providers]
        qualities: dict[str, FeedQuality] = {}
        feeds = FeedSet(b'["x"]', lambda: sources, 2, lambda *_: None, lambda _: None, qualities)
        nursery.start_soon(feeds.run)
        await wait_all_tasks_blocked()
        await trio.sleep(2)
        return cls(FeedWatch(feeds, silent_after))

    def feed(self, name: str) -> OpenFeed:
        return self.watch.feeds.feeds[name]

    def troubles(self, name: str) -> dict[Trouble, int]:
        return dict(self.watch.feeds.quality(name).troubles)

    @property
    def open(self) -> str:
        return "".join(sorted(self.watch.feeds.feeds))

    def told_by(self, tellers: str, late_s: float = 0.0) -> None:
        for name in set(tellers) & set(self.watch.feeds.feeds):
            self.feed(name).at = trio.current_time() + late_s
            self.watch.heard(self.feed(name), self.happened, trio.current_time() + late_s)

    async def happen(self, tellers: str, times: int = 1, late: str = "", late_s: float = 0.0) -> None:
        for _ in range(times):
            self.happened += 1
            self.told_by(tellers)
            self.watch.expect(self.happened, trio.current_time())
            self.told_by(late, late_s)
            await trio.sleep(1)
            self.watch.look(trio.current_time(), SILENCE_S, LATE_S)
            await wait_all_tasks_blocked()


async def test_who_tells_everything_in_time_has_no_trouble(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    await court.happen("ab", 30)
    assert (court.open, court.troubles("a"), court.troubles("b")) == ("ab", {}, {})
    assert court.watch.feeds.quality("a").arrivals == 30


async def test_who_is_mute_while_others_tell_is_replaced(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    await court.happen("ab", 3)
    await court.happen("a", 8)
    assert (court.open, court.troubles("b")) == ("ac", {Trouble.STALL: 1})


async def test_who_is_mute_is_not_replaced_before_enough_happened(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    court = await Court.of(nursery, silent_after=16)
    court.watch.counts = lambda _: False
    await court.happen("a", 15)
    assert court.open == "ab"
    await court.happen("a", 1)
    assert court.open == "ac"


async def test_a_pause_of_the_chain_is_nobodys_silence(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    await court.happen("ab")
    await trio.sleep(600)
    court.watch.look(trio.current_time(), SILENCE_S, LATE_S)
    await court.happen("ab")
    assert (court.troubles("a"), court.troubles("b")) == ({}, {})


async def test_a_mute_feed_that_nobody_can_replace_is_opened_anew_now_and_then(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    court = await Court.of(nursery, "ab")
    await court.happen("a", 10)
    assert Trouble.STALL not in court.troubles("b")
    label = court.feed("b").label
    await court.happen("a", int(AGAIN_S))
    assert court.troubles("b")[Trouble.STALL] == 1
    assert court.feed("b").label != label


async def test_who_is_late_is_replaced_by_who_may_be_better(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    await court.happen("a", 3, late="b", late_s=3.0)
    assert (court.open, court.troubles("b")) == ("ac", {Trouble.LAG: 1})


async def test_who_is_late_stays_where_nobody_is_better(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery, "ab")
    await court.happen("a", 20, late="b", late_s=3.0)
    assert (court.open, court.troubles("b")) == ("ab", {})


async def test_who_loses_every_other_thing_is_replaced(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    for _ in range(10):
        await court.happen("abc")
        await court.happen("ac")
    assert (court.open, court.troubles("b")) == ("ac", {Trouble.GAP: 1})


async def test_who_loses_something_once_in_a_while_is_forgiven(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    court = await Court.of(nursery)
    for _ in range(10):
        await court.happen("ab", 15)
        await court.happen("a")
    assert (court.open, court.troubles("b")) == ("ab", {})


async def test_what_is_lost_in_one_go_is_one_miss(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    for number in range(50):
        court.watch.expect(f"reorganised {number}", trio.current_time())
    await court.happen("ab", 10)
    assert court.feed("a").misses < MOST_MISSES
    assert court.troubles("a") == {}


@pytest.mark.parametrize("counts", [True, False])
async def test_what_does_not_count_any_more_was_not_lost(
    autojump_clock: MockClock, nursery: trio.Nursery, counts: bool
) -> None:
    court = await Court.of(nursery, "ab")
    court.watch.counts = lambda _: counts
    await court.happen("a", 15)
    assert (Trouble.GAP in court.troubles("b")) == counts


async def test_what_happened_before_it_was_open_need_not_be_told(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    court = await Court.of(nursery)
    for number in range(20):
        court.watch.expect(number, 1.0)
        await court.happen("ab")
    assert court.troubles("a") == {}


async def test_what_was_told_long_ago_is_forgotten(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    await court.happen("ab", 200)
    known = [number for number in range(1, 201) if court.watch.ledger.is_known(number)]
    assert known == list(range(201 - int(KEPT_S), 201))
    assert (court.open, court.troubles("a"), court.troubles("b")) == ("ab", {}, {})


async def test_where_silences_are_long_more_is_remembered(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    court = await Court.of(nursery)
    court.told_by("ab")
    await trio.sleep(2 * KEPT_S)
    court.watch.look(trio.current_time(), KEPT_S, LATE_S)
    assert court.watch.ledger.is_known(0)


@pytest.mark.parametrize(("providers", "left"), [("abc", "ac"), ("ab", "ab")])
async def test_who_told_what_was_not_so_is_replaced_if_another_may_do_better(
    autojump_clock: MockClock, nursery: trio.Nursery, providers: str, left: str
) -> None:
    court = await Court.of(nursery, providers)
    court.watch.refute(court.feed("b").label, trio.current_time())
    court.watch.refute("nobody", trio.current_time())
    await wait_all_tasks_blocked()
    assert (court.open, court.troubles("b"), court.troubles("a")) == (left, {Trouble.CLAIM: 1}, {})

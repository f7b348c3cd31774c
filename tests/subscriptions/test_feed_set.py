from __future__ import annotations

from itertools import pairwise

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.devnet import Chain
from lasso_trio.subscriptions.feed import Arrival, Refused
from lasso_trio.subscriptions.feed_quality import FeedQuality, Trouble
from lasso_trio.subscriptions.feed_set import CLOSE_S, HURRY_FOR_S, LOOK_S, OPEN_S, REFUSED_S, FeedSet, OpenFeed
from tests.subscriptions.simulated import SimulatedFeed, SimulatedSource


@attrs.define(eq=False)
class Watcher:
    """Three providers, and what is heard of them."""

    sources: list[SimulatedSource] = attrs.field(factory=list)
    heard: list[tuple[str, bytes]] = attrs.field(factory=list)
    feeds: FeedSet = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sources = [SimulatedSource(name, Chain(block_time=None)) for name in "abc"]
        qualities: dict[str, FeedQuality] = {}
        self.feeds = FeedSet(b'["x"]', lambda: self.sources, 2, self._hear, lambda feed: None, qualities)

    def _hear(self, feed: OpenFeed, arrival: Arrival) -> None:
        self.heard.append((feed.source.instance_id, arrival.result))

    @property
    def open(self) -> str:
        return "".join(sorted(id_ for id_, feed in self.feeds.feeds.items() if feed.is_open))


async def started(nursery: trio.Nursery) -> Watcher:
    watcher = Watcher()
    nursery.start_soon(watcher.feeds.run)
    await wait_all_tasks_blocked()
    return watcher


async def test_as_many_as_are_wanted_are_open_in_the_order_of_preference(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    assert (watcher.open, watcher.feeds.live) == ("ab", 2)
    watcher.sources[1].tell("x", b"1")
    await wait_all_tasks_blocked()
    assert watcher.heard == [("b", b"1")]


async def test_one_that_dies_is_replaced_at_once(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    watcher.sources[0].kill()
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert watcher.feeds.failovers == 1


async def test_one_that_comes_back_is_used_when_one_is_lacking(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    for source in watcher.sources[:2]:
        source.kill()
    await wait_all_tasks_blocked()
    assert watcher.open == "c"
    watcher.sources[1].revive()
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"


async def test_one_that_is_dropped_makes_room_for_another(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    feed = watcher.feeds.feeds["a"]
    watcher.feeds.drop(feed, Trouble.STALL)
    watcher.feeds.drop(feed, Trouble.STALL)  # once is enough
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert watcher.sources[0].closed == 1
    assert watcher.feeds.quality("a").troubles == {Trouble.STALL: 1}


async def test_without_another_one_the_same_is_opened_again(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    watcher.sources[2].kill()
    watcher.feeds.drop(watcher.feeds.feeds["a"], Trouble.STALL)
    await wait_all_tasks_blocked()
    assert watcher.open == "ab"
    assert len(watcher.sources[0].opened) == 2


async def test_the_better_ones_are_chosen(nursery: trio.Nursery) -> None:
    watcher = Watcher()
    watcher.feeds.quality("a").arrived(5.0)
    nursery.start_soon(watcher.feeds.run)
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert not watcher.feeds.has_better(watcher.feeds.feeds["b"])
    watcher.feeds.quality("b").arrived(9.0)
    assert watcher.feeds.has_better(watcher.feeds.feeds["b"])


async def test_who_is_in_trouble_is_not_replaced_by_who_was_a_moment_ago(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watcher = await started(nursery)
    assert watcher.feeds.has_sound(watcher.feeds.feeds["a"])
    watcher.feeds.drop(watcher.feeds.feeds["b"], Trouble.STALL)
    await trio.sleep(10)
    assert watcher.open == "ac"
    assert not watcher.feeds.has_sound(watcher.feeds.feeds["a"])
    await trio.sleep(60)
    assert watcher.feeds.has_sound(watcher.feeds.feeds["a"])
    assert watcher.feeds.free == 1


async def test_one_that_refuses_is_not_asked_again_soon(nursery: trio.Nursery) -> None:
    watcher = Watcher()
    watcher.sources[0].refuses = ("x",)
    nursery.start_soon(watcher.feeds.run)
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert watcher.feeds.refusal is None


async def test_when_all_refuse_it_is_said_why(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    watcher = Watcher()
    for source in watcher.sources:
        source.refuses = ("x",)
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(1)
    assert watcher.feeds.refusal is not None
    watcher.sources[2].refuses = ()
    await trio.sleep(400)
    assert watcher.open == "c"
    assert watcher.feeds.refusal is None


def refusing(text: str, *sources: SimulatedSource) -> None:
    for source in sources:
        source.refusal = Refused(-32005, text)


async def test_one_that_is_throttled_is_asked_again_when_it_said(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watcher = Watcher()
    refusing("rate limit exceeded, try again in 7s", *watcher.sources)
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(6.9)
    for source in watcher.sources:
        source.refusal = None
    assert watcher.open == ""
    await trio.sleep(0.2)
    assert len(watcher.open) == 2


async def test_who_does_not_say_when_is_asked_again_soon_and_ever_more_seldom(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    asked: list[float] = []

    class Throttled(SimulatedSource):
        async def open(self, params: bytes) -> SimulatedFeed:
            asked.append(trio.current_time())
            return await super().open(params)

    watcher = Watcher()
    watcher.sources = [Throttled("a", Chain(block_time=None))]
    refusing("rate limit exceeded", *watcher.sources)
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(400)
    pauses = [round(later - sooner) for sooner, later in pairwise(asked)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    watcher.sources[0].refusal = None
    await trio.sleep(60)
    assert watcher.open == "a"
    refusing("rate limit exceeded", *watcher.sources)
    watcher.feeds.drop(watcher.feeds.feeds["a"], Trouble.STALL)
    await trio.sleep(2)
    assert [round(later - sooner) for sooner, later in pairwise(asked)][-1] == 1


async def test_a_volume_that_is_used_up_is_left_alone_for_long(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watcher = Watcher()
    refusing("daily request count exceeded, try again in 1s", *watcher.sources)
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(1)
    for source in watcher.sources:
        source.refusal = None
    await trio.sleep(REFUSED_S - 10)
    assert watcher.open == ""
    await trio.sleep(20)
    assert len(watcher.open) == 2


async def test_that_all_are_throttled_is_no_refusal(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    watcher = Watcher()
    refusing("rate limit exceeded", *watcher.sources[:1])
    for source in watcher.sources[1:]:
        source.refuses = ("x",)
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(0.5)
    assert watcher.feeds.refusal is None
    watcher.sources[0].refusal, watcher.sources[0].refuses = None, ("x",)
    await trio.sleep(1)
    assert watcher.feeds.refusal is not None


async def test_who_was_throttled_and_is_gone_does_not_keep_a_refusal_from_being_told(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watcher = Watcher()
    throttled, *others = watcher.sources
    refusing("rate limit exceeded, try again in 60s", throttled)
    for source in others:
        source.refuses, source.connected = ("x",), False
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(1)
    throttled.kill()
    for source in others:
        source.revive()
    await trio.sleep(1)
    assert watcher.feeds.refusal is not None


async def test_who_tells_something_else_than_was_asked_for_has_refused(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    feed = watcher.feeds.feeds["a"]
    watcher.feeds.refuse(feed, Refused(-32602, "something else"))
    watcher.feeds.refuse(feed, Refused(-32602, "something else"))  # once is enough
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert watcher.feeds.quality("a").troubles == {Trouble.REFUSED: 1}


async def test_one_that_breaks_off_at_once_is_not_opened_in_a_loop(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    class Broken(SimulatedSource):
        async def open(self, params: bytes) -> SimulatedFeed:
            feed = await super().open(params)
            feed.send.close()
            return feed

    watcher = Watcher()
    watcher.sources = [Broken("a", Chain(block_time=None))]
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(60)
    assert 5 <= len(watcher.sources[0].opened) <= 10


async def test_one_that_does_not_answer_in_time_is_given_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    class Silent(SimulatedSource):
        async def open(self, params: bytes) -> SimulatedFeed:
            self.opened.append(params)
            await trio.sleep_forever()
            raise AssertionError

    watcher = Watcher()
    watcher.sources[0] = Silent("a", Chain(block_time=None))
    nursery.start_soon(watcher.feeds.run)
    await trio.sleep(OPEN_S - 1)
    assert watcher.open == "b"
    await trio.sleep(2)
    assert "b" in watcher.open


async def test_cancelled_it_closes_its_feeds_in_bounded_time(autojump_clock: MockClock) -> None:
    class Clinging(SimulatedFeed):
        async def aclose(self) -> None:
            await trio.sleep_forever()

    class Source(SimulatedSource):
        async def open(self, params: bytes) -> SimulatedFeed:
            feed = await super().open(params)
            return Clinging(feed.arrivals, feed.send, feed.watch, feed.source, feed.kind)

    watcher = Watcher()
    watcher.sources = [watcher.sources[0], Source("z", Chain(block_time=None))]
    began = trio.current_time()
    with trio.move_on_after(1):
        await watcher.feeds.run()
    assert trio.current_time() - began == 1 + CLOSE_S
    assert watcher.sources[0].closed == 1


async def test_who_is_no_source_any_more_is_left_and_who_is_new_is_asked(nursery: trio.Nursery) -> None:
    watcher = await started(nursery)
    gone = watcher.sources.pop(0)
    watcher.sources.append(SimulatedSource("d", Chain(block_time=None)))
    watcher.feeds.look_again()
    await wait_all_tasks_blocked()
    assert watcher.open == "bc"
    assert (gone.closed, len(gone.feeds)) == (1, 0)
    assert not watcher.feeds.quality("a").troubles


async def test_who_could_come_back_is_hurried_while_there_is_nobody_and_not_for_ever(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watcher = await started(nursery)
    for source in watcher.sources:
        source.kill()
    await wait_all_tasks_blocked()
    assert all(source.hurried for source in watcher.sources)
    await trio.sleep(HURRY_FOR_S + LOOK_S)
    before = watcher.sources[0].hurried
    await trio.sleep(10 * LOOK_S)
    assert watcher.sources[0].hurried == before
    watcher.sources[0].revive()
    await wait_all_tasks_blocked()
    watcher.sources[0].kill()
    await wait_all_tasks_blocked()
    assert watcher.sources[0].hurried > before

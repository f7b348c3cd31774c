"""The feeds of one stream: k at once, of the best providers that are connected, replaced as soon as one fails.

    choose (connected, not refused, best quality) ─► open ─► arrivals ─► `heard` … ended | dropped ─► choose again

Whoever is second takes over by going on: nothing is switched when the first dies. What is heard is judged by the
stream, which knows what is late and who is mute, and says so (`drop`). A feed's failure ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.subscriptions.feed import Arrival, FeedSource, NotConnected, Refused
from lasso_trio.subscriptions.feed_quality import TROUBLE_S, FeedQuality, Trouble

log = structlog.get_logger(__name__)

OPEN_S: Final = 10.0
CLOSE_S: Final = 2.0
REFUSED_S: Final = 300.0
"""How long a provider that said no is not asked for the same again."""
PASSING_S: Final = 1.0
"""When it said no for now and not for how long; doubled each time, up to `LONGEST_PASSING_S`."""
LONGEST_PASSING_S: Final = 60.0
LONGEST_HINT_S: Final = 3600.0
HURRY_FOR_S: Final = 60.0
LOOK_S: Final = 30.0
"""At the latest then it looks again who there is: providers come and go with a reload."""

Sources = Callable[[], Sequence[FeedSource]]


@attrs.define(eq=False)
class OpenFeed:
    """One of the k. `at`: when it was last heard, or opened; infinity while it is not open."""

    source: FeedSource
    label: str
    """Another one each time that a provider is subscribed to."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    at: float = inf
    opened_at: float = inf
    behind: int = 0
    """What happened since it was last heard, as far as its stream can tell…"""
    behind_since: float = inf
    """…and since when."""
    misses: float = 0.0
    """How often it lost something of late: `feed_watch`."""

    @property
    def is_open(self) -> bool:
        return self.at < inf


Heard = Callable[[OpenFeed, Arrival], None]


@attrs.define(eq=False)
class FeedSet:
    """`sources` in the order of preference among equals; `qualities` by instance id, shared by streams of one kind.

    `heard` and `changed` (a feed was opened, or ended) are called at once and never wait.
    """

    params: bytes
    sources: Sources
    wanted: int
    heard: Heard
    changed: Callable[[OpenFeed], None]
    qualities: dict[str, FeedQuality]
    feeds: dict[str, OpenFeed] = attrs.field(factory=dict)
    refusal: Refused | None = None
    """Why nobody feeds this: everybody who was asked refused, and for good."""
    failovers: int = 0
    _refusals: dict[str, float] = attrs.field(factory=dict)
    """Until when who is not asked. A filter may be too much for a provider that takes all others."""
    _passing: dict[str, int] = attrs.field(factory=dict)
    """How often in a row who said no for now: it may be asked again soon, and others need not be told."""
    _stir: trio.Event = attrs.field(factory=trio.Event)
    _opened: int = 0
    _alone_since: float = inf

    @property
    def live(self) -> int:
        """How many are open."""
        return sum(feed.is_open for feed in self.feeds.values())

    @property
    def free(self) -> int:
        """How many could feed this and do not."""
        return len(self._free(trio.current_time()))

    def quality(self, instance_id: str) -> FeedQuality:
        return self.qualities.setdefault(instance_id, FeedQuality())

    def drop(self, feed: OpenFeed, why: Trouble) -> None:
        """Replace it by the best there is, which may be the same again."""
        if not feed.scope.cancel_called:
            now, id_ = trio.current_time(), feed.source.instance_id
            self.quality(id_).suffered(why, now)
            self.failovers += 1
            log.info("feed.dropped", instance=id_, params=self.params.decode()[:200], reason=why.value)
            feed.scope.cancel(why.value)

    def refuse(self, feed: OpenFeed, why: Refused) -> None:
        """It took the subscription and tells something else: that is a no."""
        if not feed.scope.cancel_called:
            self._refused(feed.source.instance_id, why)
            feed.scope.cancel("it tells something else")

    def has_better(self, feed: OpenFeed) -> bool:
        """Is there a provider that is likely to do better?"""
        now = trio.current_time()
        mine = self.quality(feed.source.instance_id).score(now)
        return any(self.quality(source.instance_id).score(now) < mine for source in self._free(now))

    def has_sound(self, feed: OpenFeed) -> bool:
        """Is there one to replace `feed`, in trouble, that had none for a minute? Else two would take turns."""
        now = trio.current_time()
        bearable = (self.quality(feed.source.instance_id).lag_s or 0.0) + TROUBLE_S / 2
        return any(self.quality(source.instance_id).score(now) < bearable for source in self._free(now))

    def look_again(self) -> None:
        """The sources are others than before: who is none any more is left, who is new may be asked."""
        there = {source.instance_id for source in self.sources()}
        for id_, feed in self.feeds.items():
            if id_ not in there:
                feed.scope.cancel("it is no source any more")
        self._stir.set()

    async def run(self) -> None:
        """Keep the feeds going until cancelled; then they are closed, in parallel and within `CLOSE_S`."""
        async with trio.open_nursery() as nursery:
            while True:
                self._stir = trio.Event()
                now = trio.current_time()
                for source in self._best(now):
                    self._opened += 1
                    feed = OpenFeed(source, f"{source.instance_id} {self._opened}")
                    self.feeds[source.instance_id] = feed
                    nursery.start_soon(self._keep, feed, name=f"feed {source.instance_id}")
                await self._until_changed(now)

    # Choosing…

    def _able(self, now: float) -> list[FeedSource]:
        return [s for s in self.sources() if s.connected and self._until(s) <= now]

    def _free(self, now: float) -> list[FeedSource]:
        return [source for source in self._able(now) if source.instance_id not in self.feeds]

    def _until(self, source: FeedSource) -> float:
        id_ = source.instance_id
        return max(self.quality(id_).until, self._refusals.get(id_, 0.0))

    def _best(self, now: float) -> list[FeedSource]:
        free = sorted(self._free(now), key=lambda source: self.quality(source.instance_id).score(now))
        return free[: max(0, self.wanted - len(self.feeds))]

    async def _until_changed(self, now: float) -> None:
        """Until a feed ended or, if one is lacking, until somebody else may be asked."""
        self._hurry(now)
        if len(self.feeds) >= self.wanted:
            await self._stir.wait()
            return
        idle = [source for source in self.sources() if source.instance_id not in self.feeds]
        again = min((until for s in idle if s.connected and (until := self._until(s)) > now), default=inf)
        with trio.move_on_at(min(again, now + LOOK_S)):
            async with trio.open_nursery() as nursery:
                for event in (self._stir, *(source.changed() for source in idle)):
                    nursery.start_soon(_cancel_when, event, nursery.cancel_scope)

    def _hurry(self, now: float) -> None:
        """Nobody is listened to: whoever can come back should do so now. After a while it is plain that nobody can."""
        self._alone_since = inf if self.feeds else min(self._alone_since, now)
        if now - self._alone_since < HURRY_FOR_S:
            for source in self.sources():
                source.hurry()

    # One feed…

    async def _keep(self, feed: OpenFeed) -> None:
        id_ = feed.source.instance_id
        try:
            with feed.scope:
                await self._listen(feed)
            if not feed.scope.cancel_called:
                self._broke(feed, "ended")
        except NotConnected:
            self._broke(feed, "not_connected")
        except trio.TooSlowError:
            self._broke(feed, "not_answered")
        except Refused as refusal:
            self._refused(id_, refusal)
        finally:
            feed.at = inf
            self.feeds.pop(id_, None)
            self._stir.set()
            self.changed(feed)

    async def _listen(self, feed: OpenFeed) -> None:
        with trio.fail_after(OPEN_S):
            opened = await feed.source.open(self.params)
        try:
            feed.at = feed.opened_at = trio.current_time()
            self._passing.pop(feed.source.instance_id, None)
            self.refusal = None
            self.changed(feed)
            async for arrival in opened.arrivals:
                feed.at = arrival.at
                self.heard(feed, arrival)
        finally:
            with trio.CancelScope(deadline=trio.current_time() + CLOSE_S, shield=True):
                await opened.aclose()

    def _broke(self, feed: OpenFeed, why: str) -> None:
        self.failovers += 1
        now, id_ = trio.current_time(), feed.source.instance_id
        self.quality(id_).suffered(Trouble.BROKEN, now, max(0.0, now - feed.opened_at))
        log.debug("feed.ended", instance=id_, params=self.params.decode()[:200], reason=why)

    def _refused(self, id_: str, refusal: Refused) -> None:
        now = trio.current_time()
        self.quality(id_).suffered(Trouble.REFUSED, now)
        wait_s = self._wait_s(id_, refusal)
        self._refusals[id_] = now + wait_s
        log.info(
            "feed.refused",
            instance=id_,
            params=self.params.decode()[:200],
            error=str(refusal)[:200],
            again_s=round(wait_s, 1),
        )
        if not self.feeds.keys() - {id_} and not self._able(now) and not self._is_passing():
            self.refusal = refusal

    def _is_passing(self) -> bool:
        """Did somebody say no for now who is there to be asked again?"""
        return any(source.connected and source.instance_id in self._passing for source in self.sources())

    def _wait_s(self, id_: str, refusal: Refused) -> float:
        if refusal.lasts:
            self._passing.pop(id_, None)
            return REFUSED_S
        times = self._passing[id_] = self._passing.get(id_, 0) + 1
        usual_s = min(LONGEST_PASSING_S, PASSING_S * 2.0 ** min(times - 1, 16))
        least_s = REFUSED_S if refusal.verdict.cooldown == "long" else PASSING_S
        return max(least_s, usual_s if refusal.hint_s is None else min(refusal.hint_s, LONGEST_HINT_S))


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel("something changed")

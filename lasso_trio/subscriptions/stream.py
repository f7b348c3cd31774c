"""What all streams have in common: a key, members, a beginning, and an end a while after the last member left.

A stream outlives its runs: `run` may crash and be run again (`hub` supervises it), and goes on from where the state
stands. `live` is set when clients may be told that they are subscribed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from math import inf
from typing import Final, NoReturn

import attrs
import msgspec
import structlog
import trio

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.providers.block_time import BlockTime
from lasso_trio.subscriptions.fanout import Fanout, Member
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_quality import FeedQuality
from lasso_trio.subscriptions.feed_set import FeedSet, OpenFeed, Sources
from lasso_trio.subscriptions.feed_watch import FeedWatch
from lasso_trio.subscriptions.head_line import Gap
from lasso_trio.subscriptions.reader import Reader

log = structlog.get_logger(__name__)

SILENT_BLOCKS: Final = 2.5
"""So many usual block times without a head are a silence."""
LEAST_SILENCE_S: Final = 1.0

_encode: Final = msgspec.json.Encoder().encode


@attrs.frozen(eq=False)
class Surroundings:
    """What a chain's streams live on. `qualities` are of one kind."""

    policy: WebSocketPolicy
    sources: Sources
    reader: Reader
    block_time: Callable[[], BlockTime]
    """The chain's, of now: a reload may have put another one in its place."""
    qualities: dict[str, FeedQuality]


@attrs.define(eq=False)
class StreamCounts:
    """`filled`: blocks that were read because no feed told them in time. `repaired`: logs that only a check found."""

    events: int = 0
    filled: int = 0
    repaired: int = 0
    gaps: int = 0
    bad: int = 0


@attrs.define(eq=False)
class Stream:
    """`holders`: other streams that live on this one. `failure`: why it cannot be had; told to who asks."""

    key: str
    fanout: Fanout
    around: Surroundings
    feeds: FeedSet = attrs.field(init=False)
    watch: FeedWatch = attrs.field(init=False)
    live: trio.Event = attrs.field(factory=trio.Event)
    failure: str | None = None
    holders: int = 0
    counts: StreamCounts = attrs.field(factory=StreamCounts)
    idle_since: float | None = None
    left_at: float = -inf
    """When its last member left."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Of the run that is on."""
    ended: bool = False

    @property
    def is_used(self) -> bool:
        return self.fanout.members > 0 or self.holders > 0

    @property
    def tally(self) -> tuple[int, ...]:
        """Its counts since it was made: events, filled, repaired, gaps, bad, and the failovers of its feeds."""
        counts = self.counts
        return (counts.events, counts.filled, counts.repaired, counts.gaps, counts.bad, self.feeds.failovers)

    @property
    def pace_s(self) -> float:
        """Seconds per block, as far as they are known."""
        return self.around.block_time().seconds

    @property
    def silence_s(self) -> float:
        """Without a head for longer, something may be wrong."""
        usual = max(LEAST_SILENCE_S, SILENT_BLOCKS * self.pace_s)
        return min(usual, self.around.policy.new_heads_timeout_ms / 1000)

    async def run(self) -> None:
        """Keep the stream going until cancelled."""
        raise NotImplementedError

    async def until_live(self) -> None:
        """It may be so no more when it is the turn of who waited: `live` is another one by then, and is waited for."""
        await self.live.wait()
        while not self.live.is_set():
            await self.live.wait()

    def greet(self, member: Member, id_: str) -> None:
        """Called when a subscription has gone live."""

    def _feeds_of(self, params: bytes) -> FeedSet:
        around = self.around
        return FeedSet(params, around.sources, around.policy.feeds, self._heard, self._changed, around.qualities)

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        """A feed told something. Never waits."""
        raise NotImplementedError

    def _changed(self, feed: OpenFeed) -> None:
        """A feed was opened, or ended."""

    async def _judge(self) -> NoReturn:
        """Replace feeds that do badly, until cancelled."""
        while True:
            silence_s = self.silence_s
            await trio.sleep(silence_s / 2)
            self._look_at_feeds(trio.current_time(), silence_s)

    def _look_at_feeds(self, now: float, silence_s: float) -> None:
        self.watch.look(now, silence_s, max(LEAST_SILENCE_S, self.pace_s / 2))

    def publish(self, result: bytes) -> None:
        self.counts.events += 1
        self.fanout.publish(result)

    def publish_all(self, out: Iterable[bytes | Gap]) -> None:
        """Events of one moment in their order, gaps among them: what no gap divides goes out together."""
        for divides, run in groupby(out, lambda item: isinstance(item, Gap)):
            if divides:
                self._announce_all(run)
            else:
                events = [item for item in run if not isinstance(item, Gap)]
                self.counts.events += len(events)
                self.fanout.publish_all(events)

    def _announce_all(self, gaps: Iterable[bytes | Gap]) -> None:
        for gap in gaps:
            assert isinstance(gap, Gap)
            self.announce(gap)

    def announce(self, gap: Gap) -> None:
        self._note(gap)
        self.fanout.announce_gap(gap_json(gap))

    def announce_to(self, member: Member, id_: str, gap: Gap) -> None:
        """A gap that is one subscription's alone."""
        self._note(gap)
        self.fanout.announce_gap_to(member, id_, gap_json(gap))

    def _note(self, gap: Gap) -> None:
        self.counts.gaps += 1
        log.warning("stream.gap", stream=self.key[:200], first=gap.first, last=gap.last, reason=gap.reason)


def gap_json(gap: Gap) -> bytes:
    """The `result` of a `lasso_gap` notification."""
    return _encode(
        {
            "fromBlock": hex(gap.first),
            "toBlock": hex(gap.last),
            "unprovenFrom": hex(gap.unproven_from),
            "reason": gap.reason,
        }
    )

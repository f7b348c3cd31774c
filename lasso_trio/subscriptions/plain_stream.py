"""What nobody can prove complete: pending transactions, and a node's syncing state.

The union of what the feeds tell, each event once. A mempool is every node's own, so nothing is promised but that; and
`syncing` is told when it changes. Where nobody takes the subscription, a client is told so.
"""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.subscriptions.fanout import Member
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_set import FeedSet, OpenFeed
from lasso_trio.subscriptions.stream import Stream
from lasso_trio.subscriptions.transaction import hash_of
from lasso_trio.subscriptions.wanted import Kind, Wanted

REMEMBERED: Final = 32_768


@attrs.define(eq=False)
class PlainStream(Stream):
    """Live as soon as one provider took the subscription."""

    wanted: Wanted = attrs.field(kw_only=True)
    _told: dict[bytes, None] = attrs.field(factory=dict)
    _last: bytes = b""

    def __attrs_post_init__(self) -> None:
        around = self.around
        self.feeds = FeedSet(
            self.wanted.params, around.sources, around.policy.feeds, self._heard, self._changed, around.qualities
        )

    async def run(self) -> None:
        if not self.around.sources():
            self._nobody()
        await self.feeds.run()

    def greet(self, member: Member, id_: str) -> None:
        """Nodes tell of `syncing` when it changes: a client that hears nothing is told where it stands."""
        if self.wanted.kind is Kind.SYNCING:
            self.fanout.publish_to(member, id_, self._last or b"false")

    def _nobody(self, text: str = "no provider with a WebSocket offers it") -> None:
        if self.wanted.kind is not Kind.SYNCING:
            self.failure = text
        self.live.set()

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        self.feeds.quality(feed.source.instance_id).arrived(0.0)
        if self.wanted.kind is Kind.SYNCING:
            if arrival.result != self._last:
                self._last = arrival.result
                self.publish(arrival.result)
        elif self._is_new(hash_of(arrival.result)):
            self.publish(arrival.result)

    def _is_new(self, hash_: bytes) -> bool:
        if not hash_:
            self.counts.bad += 1
            return False
        if hash_ in self._told:
            return False
        self._told[hash_] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _changed(self, feed: OpenFeed) -> None:
        if feed.is_open:
            self.failure = None
            self.live.set()
        elif self.feeds.refusal is not None and not self.feeds.live:
            self._nobody(self.feeds.refusal.text)

"""Pending transactions: the union of what the feeds tell, each hash once.

A mempool is every node's own, so nothing is promised but that. Who tells nothing while others tell is replaced; when
all who are listened to tell nothing, others are tried, ever more seldom: some chains have no mempool to tell of.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from lasso_trio.subscriptions.feed import Arrival, Refused
from lasso_trio.subscriptions.feed_quality import Trouble
from lasso_trio.subscriptions.feed_set import OpenFeed
from lasso_trio.subscriptions.feed_watch import FeedWatch
from lasso_trio.subscriptions.plain_stream import PlainStream
from lasso_trio.subscriptions.transaction import hash_of, is_whole

REMEMBERED: Final = 32_768
SILENT_AFTER: Final = 16
"""Transactions that a feed did not tell, while a silence lasted."""
LEAST_SILENCE_S: Final = 10.0
NEWS_S: Final = 10.0
"""Who tells a transaction later than that is not late: nodes send again what is not mined."""
QUIET_S: Final = 30.0
LONGEST_QUIET_S: Final = 1800.0
NO_WHOLE_ONES: Final = Refused(-32602, "it tells hashes where whole transactions were asked for")


@attrs.define(eq=False)
class PendingStream(PlainStream):
    """`_told`: when, by hash. `_quiet_s`: after so long without any transaction others are listened to."""

    _told: dict[bytes, float] = attrs.field(factory=dict)
    _quiet_s: float = QUIET_S
    _whole: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.watch = FeedWatch(self.feeds, SILENT_AFTER)
        self._whole = self.wanted.params.endswith(b",true]")

    @property
    def silence_s(self) -> float:
        return max(LEAST_SILENCE_S, super().silence_s)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run, name="feeds")
            nursery.start_soon(self._judge, name="judge")

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        hash_, whole = hash_of(arrival.result), is_whole(arrival.result)
        if not hash_:
            self.counts.bad += 1
        elif self._whole and not whole:
            self.feeds.refuse(feed, Refused(NO_WHOLE_ONES.code, NO_WHOLE_ONES.text))
        else:
            self._quiet_s = QUIET_S
            # Who tells more than was asked for tells the hash as well.
            result = b'"%b"' % hash_ if whole and not self._whole else arrival.result
            self._take(feed, hash_, result, arrival.at)

    def _take(self, feed: OpenFeed, hash_: bytes, result: bytes, at: float) -> None:
        first = self._told.setdefault(hash_, at)
        is_new = not self.watch.ledger.is_known(hash_) and first == at
        if at - first <= NEWS_S:
            self.watch.heard(feed, hash_, at)
        if is_new:
            self._forget()
            self.watch.passed(at, (feed.label,))
            self.publish(result)

    def _forget(self) -> None:
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    def _look_at_feeds(self, now: float, silence_s: float) -> None:
        super()._look_at_feeds(now, silence_s)
        feeds = [feed for feed in self.feeds.feeds.values() if feed.is_open]
        if not feeds or now - max(feed.at for feed in feeds) < self._quiet_s:
            return
        self._quiet_s = min(LONGEST_QUIET_S, 2 * self._quiet_s)
        for feed in feeds[: self.feeds.free]:
            self.feeds.drop(feed, Trouble.STALL)

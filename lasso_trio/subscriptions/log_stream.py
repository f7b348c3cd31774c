"""One filter's logs as clients see them: feeds make them early, a check of each block makes them complete.

    chain's heads ─► line of logs ─► members          (the heads decide which blocks count, and when they are no more)
    feeds ─────────►      │
    checks ◄──────────────┘ (each canonical block that is not settled, by its hash, up to 8 at once)

A check is one `eth_getLogs` with the block's hash, begun a moment after the head when feeds are open (the nodes that
answer it need the block as well) and tried again until the backfill time is over; then the block's logs are a gap. No
check is needed where the header's bloom excludes the filter. What a check finds is expected of every feed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.subscriptions.bloom import BloomFilter
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_set import OpenFeed
from lasso_trio.subscriptions.feed_watch import FeedWatch
from lasso_trio.subscriptions.head_line import Added, Gap, Step
from lasso_trio.subscriptions.head_stream import HeadStream
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.log import BadLog, Log, read
from lasso_trio.subscriptions.log_line import LogLine
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.stream import Stream
from lasso_trio.subscriptions.wanted import Wanted

log = structlog.get_logger(__name__)

GRACE_S: Final = 0.1
AT_ONCE: Final = 8
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
SILENT_AFTER: Final = 16
"""Logs that a feed did not tell, while a silence lasted: a filter's blocks are far between."""


@attrs.define(eq=False)
class LogStream(Stream):
    """`heads` is held while this one lives: `hub` counts it."""

    wanted: Wanted = attrs.field(kw_only=True)
    heads: HeadStream = attrs.field(kw_only=True)
    line: LogLine = attrs.field(init=False)
    bloom: BloomFilter = attrs.field(init=False)
    _nursery: trio.Nursery | None = None
    _slots: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    _before_first: bool = attrs.field(init=False)
    _checking: set[str] = attrs.field(factory=set)
    _missed: str = ""

    def __attrs_post_init__(self) -> None:
        self._before_first = self.heads.line.tip is None
        self.line = LogLine(self.heads.line.window)
        self.bloom = BloomFilter(self.wanted.filter)
        self.feeds = self._feeds_of(self.wanted.params)
        self.watch = FeedWatch(self.feeds, SILENT_AFTER, self._is_ours)
        self.heads.followers.append(self._follow)

    def leave_heads(self) -> None:
        """At the end of its life."""
        self.heads.followers.remove(self._follow)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                nursery.start_soon(self.feeds.run, name="feeds")
                nursery.start_soon(self._judge, name="judge")
                self._check_all()
                await self.heads.live.wait()
                self.live.set()
                await trio.sleep_forever()
            finally:
                self._nursery = None
                self._checking.clear()

    # What comes in…

    def _follow(self, steps: list[Step]) -> None:
        if self._before_first:
            self._before_first = False
            if not self.live.is_set():  # where the heads begin is where this begins: with the block after it
                steps = steps[1:]
        for step in steps:
            if isinstance(step, Added) and self._is_empty(step.header):
                self.line.settle(step.header.hash, ())
        self.publish_all(self.line.follow(steps))
        self._check_all()

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        try:
            log_ = read(arrival.result)
        except BadLog:
            self.counts.bad += 1
            return
        self.watch.heard(feed, (log_.block, log_.index), arrival.at)
        if self.line.overlooked(log_):
            self._late(log_)
        else:
            self.publish_all(self.line.hear(log_))

    def _late(self, log_: Log) -> None:
        """Its block was settled without it: a node answered too early, or the block's bloom lies."""
        header, tip = self.heads.line.find(log_.block), self.heads.line.tip
        if header is None or tip is None or not self.line.follows(header.number):
            return
        self.line.add(log_)
        if self.bloom.excludes(header.bloom):
            self.bloom.distrust()
            self._miss(header, "bloom_denied")
        elif self.line.is_last_told(header.number, tip.number):
            self.counts.repaired += 1
            self.publish_all([log_.raw])
        else:
            self._miss(header, "logs_late")

    def _miss(self, header: Header, reason: str) -> None:
        """Said once for a block."""
        if header.hash != self._missed:
            self._missed = header.hash
            self.publish_all([Gap(header.number, header.number, header.number, reason)])

    def _is_ours(self, what: Hashable) -> bool:
        """Of a block that was replaced meanwhile nobody need have told."""
        return isinstance(what, tuple) and self.heads.line.find(what[0]) is not None

    # Checks…

    def _is_empty(self, header: Header) -> bool:
        """Told by its bloom, if that is to be believed."""
        empty = self.bloom.excludes(header.bloom)
        if empty and self.line.heard_of(header.hash):
            self.bloom.distrust()
            return False
        return empty

    def _check_all(self) -> None:
        if self._nursery is None:
            return
        for header in self.line.unsettled:
            if header.hash not in self._checking:
                self._checking.add(header.hash)
                self._nursery.start_soon(self._check, header, name=f"check {header.number}")

    async def _check(self, header: Header) -> None:
        """Settle one block, or give it up; ends when it is no longer canonical."""
        began = trio.current_time()
        deadline = began + self.around.policy.backfill_timeout_ms / 1000
        try:
            if self.feeds.live:
                await trio.sleep(GRACE_S)
            with trio.move_on_at(deadline):
                await self._settle(header, began)
                return
            self.publish_all(self.line.give_up(header.hash))
        finally:
            self._checking.discard(header.hash)

    async def _settle(self, header: Header, began: float) -> None:
        pause = FIRST_PAUSE_S
        while self.line.is_unsettled(header.hash):
            async with self._slots:
                logs = await self._read(header)
            if logs is not None:
                self._take(header, logs, began)
                return
            await trio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, 2 * pause)

    async def _read(self, header: Header) -> list[Log] | None:
        try:
            return await self.around.reader.logs(header.hash, self.wanted.filter)
        except Unreadable:
            return None

    def _take(self, header: Header, logs: list[Log], began: float) -> None:
        heard = self.line.heard_of(header.hash)
        lost = sum(log.index not in heard for log in logs)
        self.publish_all(self.line.settle(header.hash, logs))
        self.counts.repaired += lost
        for log_ in logs:  # each was there for every feed when the block was
            self.watch.expect((log_.block, log_.index), began)

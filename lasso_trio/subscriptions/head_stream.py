"""A chain's heads as clients see them: feeds in, one continuous line out; what logs' streams follow, too.

    feeds ──────► line ─► Added: to the members     ─► followers (logs) get every step
    poll ───────►  │  ─► Gap: lasso_gap
    backfill ◄─────┘ (what is missing)

Polling is the net under the feeds: it begins the line, it stands in for the feeds while none is open, and it looks
after the chain when they have all been silent for longer than blocks usually take. Every block of the line is expected
of every feed: who is silent while it moves on, late, or loses some, is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.subscriptions.backfill import Backfill
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_set import OpenFeed
from lasso_trio.subscriptions.feed_watch import FeedWatch
from lasso_trio.subscriptions.head_line import Added, Gap, HeadLine, Step
from lasso_trio.subscriptions.header import BadHeader, Header, of_event
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.stream import Stream

log = structlog.get_logger(__name__)

SHORTEST_POLL_S: Final = 0.25
LONGEST_POLL_S: Final = 4.0
EAGER_POLLS: Final = 16
"""So many looks, a second apart, at a chain whose block time nobody knows: the guess of 12 s would make its first heads
late, and several at once."""
EAGER_POLL_S: Final = 1.0
POLL: Final = "http"
READ_S: Final = 10.0
SILENT_AFTER: Final = 1
"""Heads that a feed did not tell, and it was silent for long before."""

Follower = Callable[[list[Step]], None]


@attrs.define(eq=False)
class HeadStream(Stream):
    """`followers` are called with every step, in order, before anything else happens."""

    line: HeadLine = attrs.field(init=False)
    followers: list[Follower] = attrs.field(factory=list)
    begun: trio.Event = attrs.field(factory=trio.Event)
    """The line has a tip."""
    polls: int = 0
    _moved_at: float = 0.0
    _aside: Header | None = None
    """The newest block of a look in a silence, if it was none of ours."""
    _stir: trio.Event = attrs.field(factory=trio.Event)
    _lacking: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self.line = HeadLine(self.around.policy.max_backfill_blocks)
        self.feeds = self._feeds_of(b'["newHeads"]')
        self.watch = FeedWatch(self.feeds, SILENT_AFTER, self._is_ours)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.feeds.run, name="feeds")
            nursery.start_soon(self._fill, name="backfill")
            nursery.start_soon(self._judge, name="judge")
            nursery.start_soon(self._poll, name="poll")

    # What comes in…

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        try:
            header = of_event(arrival.result)
        except BadHeader:
            self.counts.bad += 1
            return
        self.watch.heard(feed, header.hash, arrival.at)
        self._tell(header, feed.label)

    def _tell(self, header: Header, source: str) -> None:
        self.apply(self.line.tell(header, source, trio.current_time()))
        if self.line.is_waiting:
            self._lacking.set()

    def apply(self, steps: Iterable[Step]) -> None:
        """What the line did, to members and followers."""
        told = list(steps)
        if not told:
            return
        now = self._moved_at = trio.current_time()
        self._aside = None
        for step in told:
            if isinstance(step, Added):
                self.watch.expect(step.header.hash, now)
        self.publish_all(
            step.header.raw if isinstance(step, Added) else step for step in told if isinstance(step, Added | Gap)
        )
        for follow in self.followers:
            follow(told)
        self.begun.set()
        self.live.set()
        self._stir.set()

    def _is_ours(self, what: Hashable) -> bool:
        """What was replaced meanwhile need not have been told by everybody."""
        return isinstance(what, str) and self.line.find(what) is not None

    def _changed(self, feed: OpenFeed) -> None:
        if not feed.is_open:
            self.line.forget(feed.label)
        self._stir.set()

    # What is done about it…

    async def _fill(self) -> None:
        backfill = Backfill(self.line, self.around.reader, self._filled, self.around.policy.backfill_timeout_ms / 1000)
        while True:
            await backfill.run()
            self._lacking = trio.Event()
            if not self.line.is_waiting:
                await self._lacking.wait()

    def _filled(self, steps: Iterable[Step]) -> None:
        refuted, self.line.refuted = self.line.refuted, []
        for source in refuted:
            self.watch.refute(source, trio.current_time())
        told = list(steps)
        added = [step.header.hash for step in told if isinstance(step, Added)]
        self.counts.filled += sum(not self.watch.ledger.is_known(hash_) for hash_ in added)
        self.apply(told)

    async def _poll(self) -> None:
        """Begin the line, and look where the chain is whenever the feeds do not tell."""
        while True:
            moves, self._stir = self.line.moves, trio.Event()
            if self.line.tip is None or not self.feeds.live or self._is_silent():
                await self._look()
                if self.feeds.live:  # without a first block, too: the feeds will tell one
                    self.live.set()
                # After a look the next one waits, whatever happens meanwhile.
                await trio.sleep(self._poll_s() if self.line.moves == moves or not self.feeds.live else 0)
            else:
                with trio.move_on_at(self._moved_at + self.silence_s):
                    await self._stir.wait()

    def _poll_s(self) -> float:
        half_a_block = max(SHORTEST_POLL_S, min(LONGEST_POLL_S, self.pace_s / 2))
        if self.feeds.live:
            return max(half_a_block, self.silence_s / 2)
        guessed = not self.around.block_time().is_known and self.polls < EAGER_POLLS
        return min(half_a_block, EAGER_POLL_S) if guessed else half_a_block

    def _is_silent(self) -> bool:
        return trio.current_time() >= self._moved_at + self.silence_s  # reckoned as the wait for it

    async def _look(self) -> None:
        self.polls += 1
        try:
            with trio.fail_after(READ_S):
                header = await self.around.reader.latest()
        except (Unreadable, trio.TooSlowError):
            return
        if header is None:
            return
        if not self.feeds.live and (self.line.tip is None or header.number > self.line.tip.number):
            self.around.block_time().observe(POLL, header.number, trio.current_time())
        if self._is_silent() and self._began_anew(header):
            self.around.block_time().forget(POLL)
            self.apply(self.line.restart(header))
        else:
            self._tell(header, POLL)

    def _began_anew(self, header: Header) -> bool:
        """Far below the tip, or on a lower branch that grows while ours does not: a node that fell behind stands still
        on one, or goes on with blocks of ours.
        """
        tip, before = self.line.tip, self._aside
        self._aside = None if self.line.holds(header) else header
        if tip is None or header.number > tip.number or self._aside is None:
            return False
        grows = before is not None and before.number < header.number
        return grows or header.number <= tip.number - self.line.window

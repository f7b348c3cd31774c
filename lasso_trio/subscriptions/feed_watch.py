"""Judges the feeds of one stream, whatever it streams: who is mute, who is late, who loses what others tell.

    silent while so many things happened ───────────────────────────► STALL, replaced
    later than can be borne, on the mean, and another may do better ─► LAG, replaced
    lost something in most of the last looks ───────────────────────► GAP, replaced if another may do better
    told what was not so ───────────────────────────────────────────► CLAIM, likewise

The stream says what happens (`heard`, `expect`, `passed`) and how often to `look`; what it is that happens is its own.
One look finds one miss at most, however much was lost: some nodes tell a reorganisation as its newest block alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final

import attrs

from lasso_trio.subscriptions.feed_ledger import Event, Ledger
from lasso_trio.subscriptions.feed_quality import Trouble
from lasso_trio.subscriptions.feed_set import FeedSet, OpenFeed

MOST_MISSES: Final = 3.0
"""Looks that found something lost, before it counts as a trouble…"""
FORGIVEN: Final = 0.1
"""…and what a look that found nothing lost takes off."""
SETTLED_S: Final = 1.0
"""What happens within so long of its opening a feed need not tell."""
AGAIN_S: Final = 60.0
"""A mute feed that nobody can replace is opened anew at most that often: its subscription may be what is lost."""
KEPT_S: Final = 60.0
"""What was told so long ago is forgotten, and later where silences are long…"""
KEPT_SILENCES: Final = 4.0
"""…as many of them. Who is later than that loses things, as far as anybody can tell."""


def always(what: Hashable) -> bool:
    """All that was expected counts."""
    return True


@attrs.define(eq=False)
class FeedWatch:
    """`silent_after`: so many things that a feed did not tell, one after the other, may be a silence.

    `counts`: whether what was expected is still to be.
    """

    feeds: FeedSet
    silent_after: int
    counts: Callable[[Hashable], bool] = always
    ledger: Ledger = attrs.field(factory=Ledger)
    _passed_at: float = 0.0
    """When something happened last."""

    def heard(self, feed: OpenFeed, what: Hashable, at: float) -> None:
        """`feed` told `what`."""
        feed.behind = 0
        lag = self.ledger.told(what, feed.label, at)
        if lag is not None:
            self.feeds.quality(feed.source.instance_id).arrived(lag)

    def expect(self, what: Hashable, at: float) -> None:
        """`what` happened, which everybody should tell."""
        event = self.ledger.expect(what, at)
        self.passed(at, event.tellers)

    def passed(self, at: float, tellers: Iterable[str]) -> None:
        """Something happened, and was told by the feeds with these labels."""
        self._passed_at = at
        for feed in self.feeds.feeds.values():
            if feed.is_open and feed.label not in tellers:
                feed.behind_since = feed.behind_since if feed.behind else at
                feed.behind += 1

    def refute(self, label: str, now: float) -> None:
        """The feed with this label told what was not so."""
        for feed in [feed for feed in self.feeds.feeds.values() if feed.label == label]:
            self._punish(feed, Trouble.CLAIM, now)

    def look(self, now: float, silence_s: float, late_s: float) -> None:
        """Judge. `silence_s`: a silence that is none of the chain's; `late_s`: a lag that is too much."""
        lost = [event for event in self.ledger.due(now - silence_s) if self.counts(event.what)]
        self.ledger.forget(now - max(KEPT_S, KEPT_SILENCES * silence_s))
        for feed in [feed for feed in self.feeds.feeds.values() if feed.is_open]:
            if self._is_mute(feed, now, silence_s, late_s):
                self.feeds.drop(feed, Trouble.STALL)
            elif self._lag_of(feed) > late_s and self.feeds.has_better(feed):
                self.feeds.drop(feed, Trouble.LAG)
            else:
                self._reckon(feed, lost, now)

    def _lag_of(self, feed: OpenFeed) -> float:
        return self.feeds.quality(feed.source.instance_id).lag_s or 0.0

    def _is_mute(self, feed: OpenFeed, now: float, silence_s: float, late_s: float) -> bool:
        if feed.behind < self.silent_after or now - feed.behind_since < late_s:
            return False
        lasts = self._passed_at - feed.at >= silence_s
        return lasts and (self.feeds.has_sound(feed) or now - feed.opened_at >= AGAIN_S)

    def _reckon(self, feed: OpenFeed, lost: Iterable[Event], now: float) -> None:
        owed = [event for event in lost if feed.opened_at + SETTLED_S <= event.at]
        if not owed:
            return
        missed = any(feed.label not in event.tellers for event in owed)
        feed.misses = feed.misses + 1 if missed else max(0.0, feed.misses - FORGIVEN)
        if feed.misses >= MOST_MISSES:
            feed.misses = 0.0
            self._punish(feed, Trouble.GAP, now)

    def _punish(self, feed: OpenFeed, why: Trouble, now: float) -> None:
        """Replace it, if another may do better; a poor one is better than none."""
        if self.feeds.has_sound(feed):
            self.feeds.drop(feed, why)
        else:
            self.feeds.quality(feed.source.instance_id).suffered(why, now)

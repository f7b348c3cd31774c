"""Tells of the streams: how many there are, who listens, what they published, filled and lost.

A stream leaves its counts to the hub when it ends, so nothing is lost between two readings. Feeds are told of by the
provider and the kind of what they tell, which outlive streams.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from operator import add
from typing import Final

import attrs

from lasso_trio.metrics.latencies import distribution
from lasso_trio.subscriptions.feed_quality import Trouble
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.subscriptions.wanted import kind_of
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Family, Table, counter, gauge, histogram

_STREAM: Final = "profile chain kind"
_FEED: Final = f"{_STREAM} upstream"

STREAMS = gauge("lasso_streams", _STREAM, "Streams, by kind of subscription.")
MEMBERS = gauge("lasso_stream_members", _STREAM, "Clients' subscriptions to the streams.")
FEEDS = gauge("lasso_stream_feeds", _STREAM, "Upstream subscriptions that feed the streams.")
EVENTS = counter("lasso_stream_events_total", _STREAM, "Events published to the streams' members.")
FILLED = counter("lasso_stream_filled_total", _STREAM, "Events that no feed told and that were fetched.")
REPAIRED = counter("lasso_stream_repaired_total", _STREAM, "Reorganisations and holes that were mended.")
GAPS = counter("lasso_stream_gaps_total", _STREAM, "Gaps that could not be filled and were announced.")
BAD = counter("lasso_stream_bad_total", _STREAM, "Notifications that could not be used.")
FAILOVERS = counter("lasso_stream_failovers_total", _STREAM, "Feeds that were replaced by another provider's.")
FEED_ARRIVALS = counter("lasso_stream_feed_arrivals_total", _FEED, "Notifications that the upstream's feeds told.")
FEED_LAG = gauge("lasso_stream_feed_lag_seconds", _FEED, "Mean seconds behind the first feed that told.", Across.MOST)
FEED_TROUBLES = counter(
    "lasso_stream_feed_troubles_total", f"{_FEED} reason", "What was wrong with the upstream's feeds."
)
FANOUT = histogram("lasso_fanout_seconds", "", "Seconds from an event to its last member, in crowds above fifty.")
FANOUT_WAITING = gauge("lasso_fanout_waiting", "", "Events under way to the members of large crowds.")

COUNTED: Final = (EVENTS, FILLED, REPAIRED, GAPS, BAD, FAILOVERS)
"""In the order of `Stream.tally`."""
FAMILIES: Final = (STREAMS, MEMBERS, FEEDS, *COUNTED, FEED_ARRIVALS, FEED_LAG, FEED_TROUBLES, FANOUT, FANOUT_WAITING)

Who = tuple[str, str, str]
_NOTHING: Final = (0,) * len(COUNTED)


@attrs.frozen(eq=False)
class StreamReader:
    """`hub`: where the streams are."""

    hub: Hub

    def __call__(self, table: Table, now: float) -> tuple[()]:
        """All streams in one step: no more than a few hundred nanoseconds each."""
        gauges: dict[Family, Counter[Who]] = {STREAMS: Counter(), MEMBERS: Counter(), FEEDS: Counter()}
        totals: dict[Who, tuple[int, ...]] = dict(self.hub.past)
        for (profile, chain, key), stream in self.hub.streams.items():
            who = (profile, chain, kind_of(key))
            totals[who] = tuple(map(add, totals.get(who, _NOTHING), stream.tally))
            gauges[STREAMS][who] += 1
            gauges[MEMBERS][who] += stream.fanout.members
            gauges[FEEDS][who] += stream.feeds.live
        for who, counts in totals.items():
            for family, times in gauges.items():
                table.add(family, times[who], *who)
            for family, total in zip(COUNTED, counts, strict=True):
                table.add(family, total, *who)
        self._feeds(table)
        self._fanout(table)
        return ()

    def _feeds(self, table: Table) -> None:
        for (profile, chain, kind), qualities in self.hub.qualities.items():
            for instance_id, quality in qualities.items():
                who = (profile, chain, kind.value, instance_id)
                table.add(FEED_ARRIVALS, quality.arrivals, *who)
                if quality.lag_s is not None:
                    table.add(FEED_LAG, quality.lag_s, *who)
                for trouble in Trouble:
                    table.add(FEED_TROUBLES, quality.troubles[trouble], *who, trouble.value)

    def _fanout(self, table: Table) -> None:
        slices = self.hub.slices
        if slices is not None:
            table.add(FANOUT, partial(distribution, [slices.lags.copy()]))
            table.add(FANOUT_WAITING, len(slices))

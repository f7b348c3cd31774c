"""Tells of the streams: how many there are, who listens, what they published, filled and lost.

A stream takes its counts with it when it ends, a minute after its last member. So what each grew by is added up here
at each reading; what an ended one did since the reading before is lost.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

import attrs

from lasso_trio.metrics.latencies import distribution
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.subscriptions.stream import Stream
from lasso_trio.telemetry.prometheus import Family, Table, counter, gauge, histogram

_STREAM: Final = "profile chain kind"

STREAMS = gauge("lasso_streams", _STREAM, "Streams, by kind of subscription.")
MEMBERS = gauge("lasso_stream_members", _STREAM, "Clients' subscriptions to the streams.")
FEEDS = gauge("lasso_stream_feeds", _STREAM, "Upstream subscriptions that feed the streams.")
EVENTS = counter("lasso_stream_events_total", _STREAM, "Events published to the streams' members.")
FILLED = counter("lasso_stream_filled_total", _STREAM, "Events that no feed told and that were fetched.")
REPAIRED = counter("lasso_stream_repaired_total", _STREAM, "Reorganisations and holes that were mended.")
GAPS = counter("lasso_stream_gaps_total", _STREAM, "Gaps that could not be filled and were announced.")
BAD = counter("lasso_stream_bad_total", _STREAM, "Notifications that could not be used.")
FAILOVERS = counter("lasso_stream_failovers_total", _STREAM, "Feeds that were replaced by another provider's.")
FANOUT = histogram("lasso_fanout_seconds", "", "Seconds from an event to its last member, in crowds above fifty.")
FANOUT_WAITING = gauge("lasso_fanout_waiting", "", "Events under way to the members of large crowds.")

COUNTED: Final = (EVENTS, FILLED, REPAIRED, GAPS, BAD, FAILOVERS)
FAMILIES: Final = (STREAMS, MEMBERS, FEEDS, *COUNTED, FANOUT, FANOUT_WAITING)

Who = tuple[str, str, str]
Counts = tuple[int, ...]


def counts_of(stream: Stream) -> Counts:
    """In the order of `COUNTED`."""
    counts = stream.counts
    return (counts.events, counts.filled, counts.repaired, counts.gaps, counts.bad, stream.feeds.failovers)


@attrs.define(eq=False)
class StreamReader:
    """`hub`: where the streams are. Keeps the totals by place and kind, which are few."""

    hub: Hub
    _seen: WeakKeyDictionary[Stream, Counts] = attrs.field(factory=WeakKeyDictionary)
    _totals: dict[Who, Counts] = attrs.field(factory=dict)

    def __call__(self, table: Table, now: float) -> tuple[()]:
        """All streams in one step: no more than a few hundred nanoseconds each."""
        gauges: dict[Family, Counter[Who]] = {STREAMS: Counter(), MEMBERS: Counter(), FEEDS: Counter()}
        for (profile, chain, key), stream in self.hub.streams.items():
            who = (profile, chain, kind_of(key))
            self._add(who, stream)
            gauges[STREAMS][who] += 1
            gauges[MEMBERS][who] += stream.fanout.members
            gauges[FEEDS][who] += stream.feeds.live
        for who, totals in self._totals.items():
            for family, times in gauges.items():
                table.add(family, times[who], *who)
            for family, total in zip(COUNTED, totals, strict=True):
                table.add(family, total, *who)
        self._fanout(table)
        return ()

    def _fanout(self, table: Table) -> None:
        slices = self.hub.slices
        if slices is not None:
            table.add(FANOUT, partial(distribution, [slices.lags.copy()]))
            table.add(FANOUT_WAITING, len(slices))

    def _add(self, who: Who, stream: Stream) -> None:
        counts = counts_of(stream)
        before = self._seen.get(stream, (0,) * len(COUNTED))
        grown = [now - then for now, then in zip(counts, before, strict=True)]
        self._seen[stream] = counts
        self._totals[who] = tuple(map(sum, zip(self._totals.get(who, (0,) * len(COUNTED)), grown, strict=True)))


def kind_of(key: str) -> str:
    """The first parameter of the `eth_subscribe` that the stream's key is made of: `["logs",{…}]` is `logs`."""
    return key.partition('"')[2].partition('"')[0]

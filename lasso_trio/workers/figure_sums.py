"""Figures read off a worker's live objects, and added up with those of others. Pure: the clock is passed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import attrs
from msgspec.structs import replace

from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence, LogHistogram, Window
from lasso_trio.routing.candidate import Candidate, Tally
from lasso_trio.routing.hedge import Hedges
from lasso_trio.routing.routed_chain import ChainCounts, RoutedChain
from lasso_trio.telemetry.rates import MinuteRates
from lasso_trio.workers.figures import CandidateFigures, ChainFigures, Durations, RowFigures

NOTHING: Final = Durations({}, 0.0)


def of_chain(routed: RoutedChain, now: float) -> ChainFigures:
    counts, hedges = routed.counts, routed.counts.hedges
    return ChainFigures(
        routed.profile.slug,
        routed.chain.key,
        counts.calls,
        counts.errors,
        counts.failovers,
        counts.cancelled,
        counts.limited,
        hedges.fired,
        hedges.won,
        hedges.wasted,
        hedges.in_flight,
        hedges.saved_s,
        hedges.tokens,
        dict(hedges.suppressed),
        counts.call_rate.recent(now),
        counts.failover_rate.recent(now),
        counts.sent,
    )


def of_candidate(routed: RoutedChain, candidate: Candidate, now: float) -> CandidateFigures:
    tally = candidate.tally
    return CandidateFigures(
        routed.profile.slug,
        routed.chain.key,
        candidate.label,
        tally.attempts,
        tally.answered,
        tally.failures,
        tally.throttled,
        tally.seconds,
        tally.rates.recent(now),
    )


def of_row(channel: Channel, method: str, evidence: Evidence, now: float) -> RowFigures:
    window = evidence.window(now)
    return RowFigures(
        channel.instance_id,
        channel.transport.value,
        method,
        evidence.successes_total,
        evidence.failures_total,
        _durations(window.latency),
        _durations(window.censored),
        window.failures,
    )


def _durations(histogram: LogHistogram) -> Durations:
    return Durations(histogram.buckets, histogram.total) if histogram.count else NOTHING


def counts_with(own: ChainCounts, others: Sequence[tuple[ChainFigures, float]], now: float) -> ChainCounts:
    """`own` and what others told, each with the time when that was heard. `own` is not touched."""
    told = [figures for figures, _ in others]
    return attrs.evolve(
        own,
        calls=own.calls + sum(each.calls for each in told),
        sent=own.sent + sum(each.sent for each in told),
        errors=own.errors + sum(each.errors for each in told),
        failovers=own.failovers + sum(each.failovers for each in told),
        cancelled=own.cancelled + sum(each.cancelled for each in told),
        limited=own.limited + sum(each.limited for each in told),
        call_rate=rates_with(own.call_rate, [(each.call_rate, at) for each, at in others], now),
        failover_rate=rates_with(own.failover_rate, [(each.failover_rate, at) for each, at in others], now),
        hedges=_hedges_with(own.hedges, told),
    )


def _hedges_with(own: Hedges, told: Sequence[ChainFigures]) -> Hedges:
    return Hedges(
        own.fired + sum(each.fired for each in told),
        own.won + sum(each.won for each in told),
        own.wasted + sum(each.wasted for each in told),
        own.saved_s + sum(each.saved_s for each in told),
        own.in_flight + sum(each.racing for each in told),
        sum((Counter(each.suppressed) for each in told), Counter(own.suppressed)),
        own.tokens + sum(each.tokens for each in told),
    )


def tally_with(own: Tally, others: Sequence[tuple[CandidateFigures, float]], now: float) -> Tally:
    """As `counts_with`."""
    told = [figures for figures, _ in others]
    return Tally(
        own.attempts + sum(each.attempts for each in told),
        own.answered + sum(each.answered for each in told),
        own.failures + sum(each.failures for each in told),
        own.throttled + sum(each.throttled for each in told),
        own.seconds + sum(each.seconds for each in told),
        rates_with(own.rates, [(each.rates, at) for each, at in others], now),
    )


def rates_with(own: MinuteRates, others: Iterable[tuple[list[int], float]], now: float) -> MinuteRates:
    whole = MinuteRates()
    whole.merge(own.recent(now), now, now)
    for recent, at in others:
        whole.merge(recent, at, now)
    return whole


def window_of(row: RowFigures) -> Window:
    """The one that it tells."""
    window = Window()
    window.latency, window.censored, window.failures = _histogram(row.latency), _histogram(row.censored), row.failures
    return window


def _histogram(told: Durations) -> LogHistogram:
    histogram = LogHistogram()
    histogram.buckets, histogram.count, histogram.total = told.buckets, sum(told.buckets.values()), told.total
    return histogram


def chains_of_the_gone(one: ChainFigures, other: ChainFigures | None = None) -> ChainFigures:
    """What lasts of it, with that of another who is gone as well."""
    lasting = replace(one, racing=0, tokens=0.0, call_rate=[], failover_rate=[])
    if other is None:
        return lasting
    return replace(
        lasting,
        calls=one.calls + other.calls,
        sent=one.sent + other.sent,
        errors=one.errors + other.errors,
        failovers=one.failovers + other.failovers,
        cancelled=one.cancelled + other.cancelled,
        limited=one.limited + other.limited,
        fired=one.fired + other.fired,
        won=one.won + other.won,
        wasted=one.wasted + other.wasted,
        saved_s=one.saved_s + other.saved_s,
        suppressed=dict(Counter(one.suppressed) + Counter(other.suppressed)),
    )


def candidates_of_the_gone(one: CandidateFigures, other: CandidateFigures | None = None) -> CandidateFigures:
    lasting = replace(one, rates=[])
    if other is None:
        return lasting
    return replace(
        lasting,
        attempts=one.attempts + other.attempts,
        answered=one.answered + other.answered,
        failures=one.failures + other.failures,
        throttled=one.throttled + other.throttled,
        seconds=one.seconds + other.seconds,
    )


def rows_of_the_gone(one: RowFigures, other: RowFigures | None = None) -> RowFigures:
    lasting = replace(one, latency=NOTHING, censored=NOTHING, failures=0)
    if other is None:
        return lasting
    return replace(lasting, answered=one.answered + other.answered, failed=one.failed + other.failed)

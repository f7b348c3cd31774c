"""One provider of a profile's chain: its row in each snapshot, and the panel that tells everything. Pure reading.

Latencies are of the last five minutes at most, all methods together, as of the collector's last round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.status import provider_status
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.registry import Instance
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.channel_view import channel_row
from lasso_trio.server.heads_view import provider_head

Row = dict[str, Any]
MOST_METHODS: Final = 20
MOST_ISSUES: Final = 15


def by_provider(routed: RoutedChain) -> list[list[Candidate]]:
    """The chain's candidates, those of one provider together."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in routed.candidates:
        groups.setdefault(candidate.provider.id, []).append(candidate)
    return list(groups.values())


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def percentiles(window: Window) -> Row:
    p50, p95, p99 = window.quantiles(0.50, 0.95, 0.99)
    return {"p50_ms": milliseconds(p50), "p95_ms": milliseconds(p95), "p99_ms": milliseconds(p99)}


def percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def provider_row(board: Board, routed: RoutedChain, mine: Sequence[Candidate], traffic: int, now: float) -> Row:
    """`traffic`: attempts of the whole chain in the last minute."""
    provider, first = mine[0].provider, mine[0]
    status, why = provider_status(routed, mine, now)
    figures = board.collector.figures([candidate.channel for candidate in mine])
    return {
        "provider": provider.id,
        "name": provider.name,
        "instance": provider.instance_id,
        "priority": provider.priority,
        "archival": provider.archival,
        "status": status.value,
        "why": why,
        "cordoned": any(candidate.channel.cordoned for candidate in mine),
        "height": first.head.height,
        "lag": routed.heads.lag(first.channel.instance_id, now),
        "calls_per_second": round(sum(c.tally.rates.per_second(now) for c in mine), 2),
        "traffic_percent": percent(sum(c.tally.rates.total(now) for c in mine), traffic),
        "success_percent": percent(figures.answers, figures.answers + figures.failures),
        **figures.percentiles,
        "attempts_total": sum(c.tally.attempts for c in mine),
        "failures_total": sum(c.tally.failures for c in mine),
        "rate_limited_total": sum(c.tally.throttled for c in mine),
        "channels": [_channel(candidate.channel, now) for candidate in mine],
    }


def _channel(channel: Channel, now: float) -> Row:
    breaker = channel.breaker
    return {
        "transport": channel.transport.value,
        "live": channel.live,
        "breaker": breaker.state(now).value,
        "retry_after_ms": int(breaker.retry_after(now) * 1000),
        "cooldown_ms": int(channel.cooldown.remaining(now) * 1000),
        "in_flight": channel.in_flight,
        "consecutive_failures": breaker.failures,
        "opened_total": breaker.opened_total,
    }


def provider_panel(board: Board, routed: RoutedChain, mine: Sequence[Candidate], now: float) -> Row:
    """All that is known of one provider."""
    traffic = sum(c.tally.rates.total(now) for c in routed.candidates)
    id_ = mine[0].provider.instance_id
    instance = routed.registry.instances.get(id_)  # a reload may have taken it away
    return {
        **provider_row(board, routed, mine, traffic, now),
        **provider_head(routed, mine[0], now),
        "channel_details": [channel_row(candidate.channel, now) for candidate in mine],
        "learned": {kind.value: value for kind in Kind if (value := mine[0].channel.learned.limit(kind, now))},
        "restarts": _restarts(board, id_, now),
        "keeper": None if instance is None else _keeper(instance, now),
        "feeds": _feeds(board, id_, now),
        "methods": _methods(mine, now),
        "issues": board.issues.about(id_, MOST_ISSUES),
    }


def _restarts(board: Board, id_: str, now: float) -> list[Row]:
    return [
        {
            "child": child.name,
            "state": child.state.value,
            "restarts": child.restarts,
            "last_error": child.last_error or None,
            "since_ms": int((now - child.since) * 1000),
        }
        for child in board.supervisor.children
        if child.name.endswith(f" {id_}")
    ]


def _keeper(instance: Instance, now: float) -> Row | None:
    keeper = instance.keeper
    if keeper is None:
        return None
    ending = keeper.last_ending
    return {
        "connected": keeper.connected,
        "sessions": keeper.sessions,
        "since_ms": int((now - keeper.since) * 1000),
        "last_ending": None if ending is None else ending.reason,
    }


def _feeds(board: Board, id_: str, now: float) -> list[Row]:
    streams = () if board.hub is None else board.hub.streams.values()
    return [
        {"stream": stream.key[:80], "open": feed.is_open, "score_s": round(stream.feeds.quality(id_).score(now), 4)}
        for stream in streams
        for instance_id, feed in stream.feeds.feeds.items()
        if instance_id == id_
    ]


def _methods(mine: Sequence[Candidate], now: float) -> list[Row]:
    rows = [(c.transport.value, method, e) for c in mine for method, e in c.channel.evidence.items()]
    rows.sort(key=lambda row: -_calls(row[2]))
    return [
        {
            "method": method,
            "transport": transport,
            "calls": _calls(evidence),
            "success_percent": percent(evidence.successes_total, _calls(evidence)),
            **percentiles(evidence.window(now)),
        }
        for transport, method, evidence in rows[:MOST_METHODS]
    ]


def _calls(evidence: Evidence) -> int:
    return evidence.successes_total + evidence.failures_total

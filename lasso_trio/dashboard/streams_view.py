"""Subscriptions: the streams, who feeds them, who listens, what was filled and what was lost. Pure reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.provider_view import milliseconds
from lasso_trio.providers.latency import LogHistogram
from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.telemetry.usage import StreamFigures

Row = dict[str, Any]
MOST_STREAMS: Final = 100
"""Per chain, those with the most subscribers."""


def stream_sums(board: Board, place: tuple[str, ...]) -> Row:
    """Of a profile (its slug alone), or of one of its chains (slug and key)."""
    usages = board.whole.usages()
    if usages:
        return _sums_of_workers([each for usage in usages.values() for each in usage.streams], place)
    streams = [] if board.hub is None else [s for k, s in board.hub.streams.items() if k[: len(place)] == place]
    return {
        "streams": len(streams),
        "subscribers": sum(stream.fanout.members for stream in streams),
        "filled": sum(stream.counts.filled for stream in streams),
        "gaps": sum(stream.counts.gaps for stream in streams),
        "failovers": sum(stream.feeds.failovers for stream in streams),
    }


def _sums_of_workers(figures: Iterable[StreamFigures], place: tuple[str, ...]) -> Row:
    """A stream that clients of several workers listen to is one."""
    streams = [each for each in figures if (each.profile, each.chain)[: len(place)] == place]
    return {
        "streams": len({(each.profile, each.chain, each.mark) for each in streams}),
        "subscribers": sum(each.members for each in streams),
        "filled": sum(each.filled for each in streams),
        "gaps": sum(each.gaps for each in streams),
        "failovers": sum(each.failovers for each in streams),
    }


def clients_of(board: Board) -> dict[str, int]:
    """Counters of the node's WebSocket clients."""
    usages, own = board.whole.usages(), board.clients()
    if not usages:
        return own
    return {name: sum(usage.clients.get(name, 0) for usage in usages.values()) for name in own}


def streams_summary(board: Board, profile: RoutedProfile) -> Row:
    clients = clients_of(board)
    slow = clients.get("overflows", 0) + clients.get("write_timeouts", 0)
    sums = stream_sums(board, (profile.profile.slug,))
    return {**sums, "clients": clients.get("open", 0), "slow_clients": slow}


def streams_page(board: Board, profile: RoutedProfile) -> Row:
    clients = clients_of(board)
    slow = clients.get("overflows", 0) + clients.get("write_timeouts", 0)
    return {
        "chains": [{"chain": routed.chain.key, **_chain(board, routed)} for routed in profile.chains],
        "clients": {**clients, "slow_closed_total": slow},
        "fanout": _fanout(board),
    }


def _fanout(board: Board) -> Row:
    """Crowds above fifty: milliseconds from an event to its last member, since the start; events under way now."""
    slices = None if board.hub is None else board.hub.slices
    lags = LogHistogram() if slices is None else slices.lags
    figures = {f"p{q}_ms": milliseconds(lags.quantile(q / 100)) for q in (50, 99)}
    return {"waiting": 0 if slices is None else len(slices), "events": lags.count, **figures}


def _chain(board: Board, routed: RoutedChain) -> Row:
    if board.hub is None:
        return {"streams": [], "left_out": 0}
    names = {c.channel.instance_id: c.provider.id for c in routed.candidates}
    rows = sorted(board.hub.view(routed), key=lambda row: -row["members"])
    return {
        "streams": [_stream(row, names) for row in rows[:MOST_STREAMS]],
        "left_out": max(0, len(rows) - MOST_STREAMS),
    }


def _stream(row: Row, names: dict[str, str]) -> Row:
    """A key is `profile chain wish`, and a wish begins with its kind."""
    wish = row["key"].split(" ", 2)[-1]
    feeds = [{**feed, "provider": names.get(feed["instance"])} for feed in row["feeds"]]
    return {**row, "key": wish[:200], "kind": wish.strip('["').split('"')[0].split(" ")[0], "feeds": feeds}

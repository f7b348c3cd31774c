"""One line over time for one question: a chain, a provider, a transport, a method. Pure reading."""

from __future__ import annotations

from typing import Any

import attrs

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.collector import chain_key, channel_key
from lasso_trio.dashboard.series import Range, Series, columns, together
from lasso_trio.routing.routed_chain import RoutedChain

Row = dict[str, Any]


@attrs.frozen
class Question:
    """None: all of them."""

    range: Range = Range.MINUTES
    provider: str | None = None
    transport: str | None = None
    method: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.provider is None and self.transport is None and self.method is None


def series_page(board: Board, routed: RoutedChain, asked: Question) -> Row:
    """Columns are empty when nothing was ever noted, as of a provider that the chain does not have."""
    wall = board.wall()
    points = together([line.points(asked.range, wall) for line in _lines(board, routed, asked)])
    row: Row = {
        "chain": routed.chain.key,
        "provider": asked.provider,
        "transport": asked.transport,
        "method": asked.method,
        **columns(points, asked.range, wall),
    }
    if not asked.is_whole:
        row["failovers"] = row["hedges"] = None
    if asked.provider is None or asked.method is not None:
        row["lag"] = None
    return row


def _lines(board: Board, routed: RoutedChain, asked: Question) -> list[Series]:
    collector = board.collector
    if asked.is_whole:
        whole = collector.chains.get(chain_key(routed))
        return [] if whole is None else [whole]
    keys = {
        channel_key(c.channel)
        for c in routed.candidates
        if asked.provider in (None, c.provider.id) and asked.transport in (None, c.transport.value)
    }
    if asked.method is None:
        found = [collector.channels.get(key) for key in sorted(keys)]
    else:
        found = [collector.methods.get((*key, asked.method)) for key in sorted(keys)]
    return [line for line in found if line is not None]

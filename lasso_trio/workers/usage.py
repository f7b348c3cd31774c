"""Reads what this worker's process uses and holds, for the operators' table of workers."""

from __future__ import annotations

import os
from zlib import crc32

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.system_view import figures_here
from lasso_trio.subscriptions.stream import Stream
from lasso_trio.telemetry.usage import StreamFigures, Usage

MOST_STREAMS = 500


def usage_of(board: Board, keeping: bool, now: float) -> Usage:
    """Inside `trio.run`."""
    connections, requests = board.connections()
    counts = [routed.counts for routed in board.directory().chains()]
    return Usage(
        os.getpid(),
        round(board.node.uptime_s(now), 1),
        **figures_here(board, now),
        connections=connections,
        requests=requests,
        viewers=board.viewers(),
        restarts=board.supervisor.restarts,
        calls=sum(each.calls for each in counts),
        calls_per_second=round(sum(each.call_rate.per_second(now) for each in counts), 2),
        keeping=keeping,
        in_flight=_in_flight(board),
        clients=dict(board.clients()),
        streams=_streams(board),
    )


def _in_flight(board: Board) -> dict[str, int]:
    channels = (
        channel for instance in board.directory().registry.instances.values() for channel in instance.channels.values()
    )
    return {f"{each.instance_id} {each.transport.value}": each.in_flight for each in channels if each.in_flight}


def _streams(board: Board) -> list[StreamFigures]:
    streams = () if board.hub is None else tuple(board.hub.streams.items())[:MOST_STREAMS]
    return [stream_figures(key, stream) for key, stream in streams]


def stream_figures(key: tuple[str, str, str], stream: Stream) -> StreamFigures:
    profile, chain, wish = key
    counts = stream.counts
    return StreamFigures(
        profile, chain, crc32(wish.encode()), stream.fanout.members, counts.filled, counts.gaps, stream.feeds.failovers
    )

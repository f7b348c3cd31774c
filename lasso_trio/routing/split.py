"""How an `eth_getLogs` is cut into parts, and how the parts' answers become one again. Pure.

Neighbouring parts share one block, where they are long enough for that to cost next to nothing: both tell the logs of
the seam, and if they tell different ones, the parts come from different histories and do not belong together (a seam
without logs tells nothing: `log_branch` looks further). The merged logs are in a node's order (block, then log index),
each once, and all logs of a block carry the same block hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, prod
from typing import Final

import attrs

from lasso_trio.errors import LassoError
from lasso_trio.routing.log_filter import LogQuery

SHARED_SEAM_FROM: Final = 32
"""Parts of at least this many blocks share a block with the next."""


@attrs.frozen
class Cap:
    """What one provider takes at once; None: as much as you like."""

    blocks: int | None = None
    addresses: int | None = None
    topics: int | None = None
    """To choose from at one place."""

    def takes(self, query: LogQuery) -> bool:
        return self.parts(query) == 1

    def parts(self, query: LogQuery) -> int:
        """About how many parts `query` makes; one if it is taken whole."""
        parts = _groups(query.blocks, self.blocks) * _groups(len(query.addresses), self.addresses)
        if self.topics is None:
            return parts
        return parts * prod(_groups(len(choices), self.topics) for choices in query.choices)


def _groups(count: int, most: int | None) -> int:
    return 1 if most is None else max(1, ceil(count / most))


@attrs.frozen
class Log:
    """Where a log stands, and its text as the provider wrote it."""

    block: int
    index: int
    hash: str
    text: bytes


@attrs.frozen
class Part:
    """An answered query: its logs in order."""

    query: LogQuery
    logs: tuple[Log, ...]


class SeamConflict(LassoError):
    """Two parts (or two logs of one) tell of different blocks at one height. `since`: from where on they may differ."""

    def __init__(self, block: int, since: int | None = None) -> None:
        super().__init__(f"parts disagree on block {block}")
        self.block = block
        self.since = block if since is None else since


def fewest_parts(query: LogQuery, caps: Iterable[Cap]) -> Cap | None:
    """The cap under which `query` makes the fewest parts; None without caps."""
    return min(caps, key=lambda cap: cap.parts(query), default=None)


def cut(query: LogQuery, cap: Cap) -> list[LogQuery]:
    """`query` in parts that `cap` takes; only itself when it is small enough."""
    parts = [part for ranged in _ranges(query, cap.blocks) for part in _by_address(ranged, cap.addresses)]
    return parts if cap.topics is None else [thin for part in parts for thin in _by_topic(part, cap.topics)]


def halve(query: LogQuery) -> list[LogQuery]:
    """Two smaller ones: by range, or by addresses, or by the topics to choose from. Only itself at the end."""
    if query.blocks > 1:
        return _ranges(query, ceil(query.blocks / 2) + (query.blocks >= 2 * SHARED_SEAM_FROM))
    if len(query.addresses) > 1:
        return _by_address(query, ceil(len(query.addresses) / 2))
    return halve_topics(query)


def halve_topics(query: LogQuery) -> list[LogQuery]:
    """Two with half of the topics, at the place where there are most to choose from; only itself if there is none."""
    widths = [len(choices) for choices in query.choices]
    widest = max(widths, default=0)
    return _at_place(query, widths.index(widest), ceil(widest / 2)) if widest > 1 else [query]


def _ranges(query: LogQuery, most: int | None) -> list[LogQuery]:
    if most is None or query.blocks <= most:
        return [query]
    step = most - 1 if most >= SHARED_SEAM_FROM else most
    starts = range(query.first, query.last + (step == most), step)
    return [attrs.evolve(query, first=start, last=min(start + most - 1, query.last)) for start in starts]


def _by_address(query: LogQuery, most: int | None) -> list[LogQuery]:
    if most is None or len(query.addresses) <= most:
        return [query]
    groups = [query.addresses[at : at + most] for at in range(0, len(query.addresses), most)]
    return [attrs.evolve(query, addresses=group) for group in groups]


def _by_topic(query: LogQuery, most: int) -> list[LogQuery]:
    parts = [query]
    for place, choices in enumerate(query.choices):
        if len(choices) > most:
            parts = [thin for part in parts for thin in _at_place(part, place, most)]
    return parts


def _at_place(query: LogQuery, place: int, most: int) -> list[LogQuery]:
    choices = query.choices[place]
    return [query.choosing(place, choices[at : at + most]) for at in range(0, len(choices), most)]


def merge(parts: Sequence[Part]) -> list[Log]:
    """All logs in order, each once. Raises SeamConflict."""
    _check_seams(parts)
    ordered = sorted((log for part in parts for log in part.logs), key=_place)
    merged: list[Log] = []
    for log in ordered:
        before = merged[-1] if merged else None
        if before is not None and before.block == log.block:
            if before.hash != log.hash:
                raise SeamConflict(log.block)
            if before.index == log.index:
                continue
        merged.append(log)
    return merged


def _place(log: Log) -> tuple[int, int]:
    return log.block, log.index


def _check_seams(parts: Sequence[Part]) -> None:
    """A block that two parts of the same addresses and topics share must hold the same logs in both."""
    lanes: dict[object, list[Part]] = {}
    for part in parts:
        lanes.setdefault((part.query.addresses, part.query.topics), []).append(part)
    for lane in lanes.values():
        lane.sort(key=lambda part: part.query.first)
        for before, after in pairwise(lane):
            seam = after.query.first
            if before.query.last == seam and _at(before, seam) != _at(after, seam):
                raise SeamConflict(seam)


def _at(part: Part, block: int) -> set[tuple[int, str]]:
    return {(log.index, log.hash) for log in part.logs if log.block == block}

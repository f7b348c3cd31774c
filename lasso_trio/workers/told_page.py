"""What one worker's counters stand at, as values that go over the bus, and the sum of several. Pure.

A page is a list of families; what to make of several values under the same labels is said by each family. The parent
adds pages up and knows nothing else of metrics.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from lasso_trio.telemetry.across import Across

WORKER: Final = "worker"
GAUGE: Final = "gauge"
AT_ONCE: Final = 32
PAUSE_S: Final = 0.0001
_ZLIB_LEVEL: Final = 1


class Spread(msgspec.Struct, array_like=True, frozen=True):
    """A distribution: see `telemetry.prometheus.Distribution`."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    def plus(self, other: Spread) -> Spread:
        """Bounds that differ (a worker of another version) cannot be added: the first stays."""
        if self.bounds != other.bounds:
            return self
        counts = tuple(map(sum, zip(self.counts, other.counts, strict=True)))
        return Spread(self.bounds, counts, _sum(self.total, other.total))


Told = float | Spread
Labels = tuple[str, ...]


class ToldFamily(msgspec.Struct, array_like=True, frozen=True):
    """One family of one worker, or of all."""

    name: str
    kind: str
    labels: Labels
    help: str
    across: Across
    rows: list[tuple[Labels, Told]]


Page = list[ToldFamily]
Row = TypeVar("Row")


class SeatFigures(msgspec.Struct, array_like=True, frozen=True):
    """What the parent knows of one worker: see `metrics.workers`."""

    worker: int
    up: bool
    keeping: bool
    missing: bool
    replaced: int


class Whole(msgspec.Struct, array_like=True, frozen=True):
    """Of the node: the sum of its workers' pages, and what its parent tells of them and of itself."""

    page: Page
    seats: list[SeatFigures]
    cpu_s: float
    resident_bytes: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Page).decode
_decode_whole: Final = msgspec.msgpack.Decoder(Whole).decode


def paced(rows: Iterable[Row]) -> Iterator[Row]:
    """The same, with a pause after every few: a thread that computes on and on holds up the loop beside it."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % AT_ONCE == 0:
            time.sleep(PAUSE_S)


def packed(page: Page | Whole) -> bytes:
    """For the bus: much of it is labels that come again and again."""
    return zlib.compress(_encode(page), _ZLIB_LEVEL)


def unpacked(data: bytes) -> Page:
    """Raises msgspec.DecodeError or zlib.error."""
    return _decode(zlib.decompress(data))


def unpacked_whole(data: bytes) -> Whole:
    """Raises as `unpacked`."""
    return _decode_whole(zlib.decompress(data))


def lasting(page: Page) -> Page:
    """What of a worker that is gone still counts: its counters and distributions."""
    return [family for family in page if family.kind != GAUGE]


def of_worker(page: Page, worker: str) -> Page:
    """`page` with its worker's name where values are each worker's own."""
    return [_named(family, worker) if family.across is Across.EACH else family for family in page]


def _named(family: ToldFamily, worker: str) -> ToldFamily:
    if WORKER in family.labels:
        return family
    rows = [((*labels, worker), value) for labels, value in family.rows]
    return msgspec.structs.replace(family, labels=(*family.labels, WORKER), rows=rows)


def summed(pages: Iterable[Page]) -> Page:
    """All pages as one, the keeping worker's first, each `of_worker`: its families' order, help and rule hold."""
    first: dict[str, ToldFamily] = {}
    rows: dict[str, dict[Labels, Told]] = {}
    for family in (family for page in pages for family in page):
        known = first.setdefault(family.name, family)
        if known.labels == family.labels:
            _add(rows.setdefault(family.name, {}), family)
    return [msgspec.structs.replace(its, rows=list(rows[name].items())) for name, its in first.items()]


def _add(rows: dict[Labels, Told], family: ToldFamily) -> None:
    for labels, value in paced(family.rows):
        before = rows.get(labels)
        rows[labels] = value if before is None else _both(before, value, family.across)


def _both(before: Told, value: Told, across: Across) -> Told:
    if isinstance(before, Spread) or isinstance(value, Spread):
        return before.plus(value) if isinstance(before, Spread) and isinstance(value, Spread) else before
    if across is Across.MOST:
        return max(before, value)
    if across is Across.LEAST:
        return min(before, value)
    return before if across is Across.KEEPER else _sum(before, value)


def _sum(one: float, other: float) -> float:
    """To microseconds: in whatever order parts are added up, no counter falls by a rounding error."""
    return round(one + other, 6)


def total(living: Mapping[int, bytes], gone: Iterable[bytes], keeper: int | None) -> Page:
    """Of the workers by number, and of those that are gone (packed, their workers' names in them).

    A gauge of the keeping worker is another's where it tells nothing of that. Takes its time: not on the loop.
    """
    order = sorted(living, key=lambda worker: (worker != keeper, worker))
    pages = [of_worker(unpacked(living[worker]), str(worker)) for worker in order]
    return summed([*pages, *(unpacked(data) for data in gone)])


def folded(gone: Iterable[bytes]) -> bytes:
    """The pages of workers that are gone as one. Takes its time."""
    return packed(summed(lasting(unpacked(data)) for data in gone))


def departed(data: bytes, worker: int) -> bytes:
    """`data` of a worker that is gone, for `total` and `folded`. Takes its time."""
    return packed(lasting(of_worker(unpacked(data), str(worker))))

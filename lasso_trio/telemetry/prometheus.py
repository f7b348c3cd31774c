"""Metric families as values, a table of what was read of them, and its text: what Prometheus scrapes.

Whoever knows the counters declares a `Family` and fills a `Table` on the loop, which is copying and nothing else.
`render` turns the table into text and is made for a worker thread: it lets go of the interpreter after every few
lines, because a thread that computes takes up to five milliseconds from the loop at each of the loop's system calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Final, cast

import attrs
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample

LINES_AT_ONCE: Final = 64
"""About a third of a millisecond."""
PAUSE_S: Final = 0.0001


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@attrs.frozen(eq=False)
class Family:
    """`name` as it is queried: a counter's ends in `_total`. `help`: one sentence, with the unit if it has one."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def counter(name: str, labels: str, help: str) -> Family:  # noqa: A002  (the word of the format)
    """Never decreases while the process lives. `labels`: separated by spaces."""
    assert name.endswith("_total"), name
    return Family(name, Kind.COUNTER, tuple(labels.split()), help)


def gauge(name: str, labels: str, help: str) -> Family:  # noqa: A002
    return Family(name, Kind.GAUGE, tuple(labels.split()), help)


def histogram(name: str, labels: str, help: str) -> Family:  # noqa: A002
    return Family(name, Kind.HISTOGRAM, tuple(labels.split()), help)


@attrs.frozen
class Distribution:
    """`counts[i]`: values up to `bounds[i]` and above the bound before; the last one those above all bounds."""

    bounds: tuple[float, ...]
    counts: Sequence[int]
    total: float


Value = float | Callable[[], Distribution]
"""A distribution is added up in the thread: what is called must hold copies."""
Row = tuple[tuple[str, ...], Value]


@attrs.define(eq=False)
class Table:
    """What was read, by family, in the order of reading."""

    rows: dict[Family, list[Row]] = attrs.field(factory=dict)

    def add(self, family: Family, value: Value, *labels: str) -> None:
        """`labels`: the values of `family.labels`, in that order."""
        assert len(labels) == len(family.labels), family.name
        self.rows.setdefault(family, []).append((labels, value))

    def value(self, family: Family, *labels: str) -> Value | None:
        """The last one added under these labels; for tests and the curious."""
        return dict(self.rows.get(family, ())).get(labels)


TEXT: Final = CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS: Final = openmetrics.CONTENT_TYPE_LATEST


def content_type(accept: str) -> str:
    """OpenMetrics 1.0 for those who name it in their `Accept`, else the text format 0.0.4, which everybody reads."""
    return OPENMETRICS if "application/openmetrics-text" in accept else TEXT


def render(table: Table, kind: str, pause: Callable[[], None] = lambda: time.sleep(PAUSE_S)) -> bytes:
    """The page in `kind` (a content type of ours), with the process' own figures. Takes its time: not on the loop."""
    page = _Page(table, pause)
    if kind == OPENMETRICS:
        return cast("bytes", openmetrics.generate_latest(page))  # type: ignore[no-untyped-call]  # theirs is untyped
    return generate_latest(page)


@attrs.frozen(eq=False)
class _Page:
    table: Table
    pause: Callable[[], None]

    def collect(self) -> Iterator[Metric]:
        for family, rows in self.table.rows.items():
            stem = family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name
            metric = Metric(stem, family.help, family.kind.value)
            metric.samples = cast("list[Sample]", self._samples(family, rows))  # walked once, and never held as a whole
            yield metric
        yield from _process()

    def _samples(self, family: Family, rows: Iterable[Row]) -> Iterator[Sample]:
        written = 0
        for values, value in rows:
            labels = dict(zip(family.labels, values, strict=True))
            for sample in _lines(family.name, labels, value):
                yield sample
                written += 1
                if written % LINES_AT_ONCE == 0:
                    self.pause()


def _lines(name: str, labels: dict[str, str], value: Value) -> Iterator[Sample]:
    if not callable(value):
        yield Sample(name, labels, value)
        return
    found = value()
    bounds = [*map(str, found.bounds), "+Inf"]
    count = 0
    for bound, count in zip(bounds, accumulate(found.counts), strict=True):
        yield Sample(f"{name}_bucket", {**labels, "le": bound}, count)
    yield Sample(f"{name}_count", labels, count)
    yield Sample(f"{name}_sum", labels, found.total)


def _process() -> Iterable[Metric]:
    """CPU, memory, file descriptors and start, under the names that every Prometheus client gives them (Linux)."""
    return ProcessCollector(registry=None).collect()

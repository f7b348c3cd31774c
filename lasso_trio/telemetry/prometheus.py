"""Metric families as values, a table of what was read of them, and its text: what Prometheus scrapes.

Whoever knows the counters declares a `Family` and fills a `Table` on the loop, which is copying and nothing else.
`written` turns the table into text and is made for a worker thread: it lets go of the interpreter after every few
lines, because a thread that computes takes up to five milliseconds from the loop at each of the loop's system calls.
It uses the table up row by row: to free a large one in one go takes the interpreter for as long.

The lines are written here, as prometheus-client needs 11 µs for each, 0.6 s for a large node's page; its parsers are
what the tests read the page with, and the process' own figures are its. Formats: OpenMetrics 1.0, text 0.0.4
(prometheus.io/docs/instrumenting/exposition_formats).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Final

import attrs
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

from lasso_trio.telemetry.across import Across

ROWS_AT_ONCE: Final = 16
"""A quarter of a millisecond, if each is a distribution."""
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
    across: Across = Across.SUM


def counter(name: str, labels: str, help: str, across: Across = Across.SUM) -> Family:  # noqa: A002  (the format's word)
    """Never decreases while the process lives. `labels`: separated by spaces."""
    assert name.endswith("_total"), name
    return Family(name, Kind.COUNTER, tuple(labels.split()), help, across)


def gauge(name: str, labels: str, help: str, across: Across = Across.SUM) -> Family:  # noqa: A002
    return Family(name, Kind.GAUGE, tuple(labels.split()), help, across)


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
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def content_type(accept: str) -> str:
    """OpenMetrics 1.0 for those who name it in their `Accept`, else the text format 0.0.4, which everybody reads."""
    return OPENMETRICS if "application/openmetrics-text" in accept else TEXT


def written(
    table: Table, kind: str, pause: Callable[[], None] = lambda: time.sleep(PAUSE_S), *, process: bool = True
) -> Iterator[bytes]:
    """The page in `kind` (a content type of ours), piece by piece; `table` is used up.

    `process`: with the process' own figures, unless they are in the table. Takes its time: not on the loop.
    """
    while table.rows:
        family = next(iter(table.rows))
        rows = table.rows.pop(family)
        stem = family.name.removesuffix("_total") if kind == OPENMETRICS else family.name
        yield f"# HELP {stem} {family.help}\n# TYPE {stem} {family.kind}\n".encode()
        rows.reverse()
        while rows:
            yield "".join(_lines(family, [rows.pop() for _ in range(min(len(rows), ROWS_AT_ONCE))])).encode()
            pause()
    if process:
        yield _process(kind)
    elif kind == OPENMETRICS:
        yield b"# EOF\n"


def _lines(family: Family, rows: Iterable[Row]) -> Iterator[str]:
    for values, value in rows:
        pairs = zip(family.labels, values, strict=True)
        labels = ",".join(f'{label}="{its.translate(_ESCAPES)}"' for label, its in pairs)
        if callable(value):
            yield _buckets(family.name, labels, value())
        else:
            yield f"{family.name}{{{labels}}} {float(value)}\n" if labels else f"{family.name} {float(value)}\n"


def _buckets(name: str, labels: str, found: Distribution) -> str:
    bounds, counts = [*map(str, found.bounds), "+Inf"], list(accumulate(found.counts))
    start = f"{name}_bucket{{{labels}{',' if labels else ''}le="
    lines = [f'{start}"{bound}"}} {count}.0\n' for bound, count in zip(bounds, counts, strict=True)]
    return f"{''.join(lines)}{name}_count{{{labels}}} {counts[-1]}.0\n{name}_sum{{{labels}}} {found.total}\n"


def add_process(table: Table) -> None:
    """The process' own figures into `table`, for who gathers those of several processes."""
    for metric in ProcessCollector(registry=None).collect():
        for sample in metric.samples:
            kind = Kind.COUNTER if sample.name.endswith("_total") else Kind.GAUGE
            table.add(Family(sample.name, kind, (), metric.documentation, Across.EACH), sample.value)


def _process(kind: str) -> bytes:
    """CPU, memory, file descriptors and start, under the names that every Prometheus client gives them (Linux).

    Ends the page: OpenMetrics has a line for that.
    """
    collector = ProcessCollector(registry=None)
    if kind == OPENMETRICS:
        page: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]  # theirs is untyped
        return page
    return generate_latest(collector)

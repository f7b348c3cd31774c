"""What a race's measurements say: quantiles, what hedging cost, the latency distribution, marks met or missed.

Pure values. A figure that could not be taken is absent, never zero; a mark with too few calls behind it is not judged.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import attrs
from race_variants import ALONE, HEDGED, SLOWED

ENOUGH_FOR_A_SHARE, ENOUGH_FOR_P99, ENOUGH_FOR_P999 = 5_000, 5_000, 20_000


@attrs.frozen
class Hedges:
    """Lasso's own counts of late calls: `suppressed` by reason."""

    fired: int = 0
    won: int = 0
    wasted: int = 0
    suppressed: Mapping[str, int] = attrs.field(factory=dict)

    def since(self, before: Hedges) -> Hedges:
        return self._with(before, -1)

    def plus(self, other: Hedges) -> Hedges:
        return self._with(other, 1)

    def _with(self, other: Hedges, sign: int) -> Hedges:
        reasons = {**self.suppressed, **other.suppressed}
        counts = {name: self.suppressed.get(name, 0) + sign * other.suppressed.get(name, 0) for name in reasons}
        return Hedges(
            self.fired + sign * other.fired,
            self.won + sign * other.won,
            self.wasted + sign * other.wasted,
            {name: count for name, count in counts.items() if count},
        )


@attrs.frozen
class Block:
    """One stretch of calls. `latencies` in seconds; `upstream`: calls the providers received for `asked` ones."""

    asked: int
    upstream: int
    cpu_s: float
    latencies: tuple[float, ...]
    late: int = 0
    """Calls that were never answered: among the latencies with the time they waited."""
    failed: int = 0
    """Calls that were answered with an error: among the latencies too."""
    hedges: Hedges | None = None


@attrs.frozen
class Figure:
    """One variant's blocks taken together. Milliseconds; `extra` is a share of the calls."""

    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    extra: float
    cpu_us: float
    unanswered: int
    failed: int
    hedges: Hedges | None


def figure(blocks: Sequence[Block]) -> Figure:
    values, asked = pooled(blocks), sum(block.asked for block in blocks)
    p50, p95, p99, p999 = (at(values, quantile) * 1e3 for quantile in (0.5, 0.95, 0.99, 0.999))
    return Figure(
        calls=len(values),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        p999_ms=p999,
        max_ms=values[-1] * 1e3,
        extra=sum(block.upstream for block in blocks) / asked - 1,
        cpu_us=sum(block.cpu_s for block in blocks) / asked * 1e6,
        unanswered=sum(block.late for block in blocks),
        failed=sum(block.failed for block in blocks),
        hedges=together(blocks),
    )


def pooled(blocks: Sequence[Block]) -> list[float]:
    return sorted(value for block in blocks for value in block.latencies)


def together(blocks: Sequence[Block]) -> Hedges | None:
    counts = [block.hedges for block in blocks if block.hedges is not None]
    total = Hedges()
    for count in counts:
        total = total.plus(count)
    return total if counts else None


def at(values: Sequence[float], quantile: float) -> float:
    """Of sorted values: the smallest that is not below `quantile` of them."""
    return values[min(int(len(values) * quantile), len(values) - 1)]


def tail(values: Sequence[float], points: int = 240) -> list[tuple[float, float]]:
    """(value, share of the calls that took longer), evenly spread over the logarithm of the share. Sorted values in."""
    size = len(values)
    beyond = sorted({round(size ** (1 - step / (points - 1))) for step in range(points)}, reverse=True)
    return [(values[size - 1 - count], count / size) for count in beyond if count < size]


@attrs.frozen
class Cost:
    """CPU µs per call in paired windows: hedging on (nothing was late) and off. `extra` upstream calls, while on."""

    on_us: tuple[float, ...]
    off_us: tuple[float, ...]
    extra: float

    @property
    def ratios(self) -> list[float]:
        return sorted(on / off for on, off in zip(self.on_us, self.off_us, strict=True))

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the pairs."""
        ratios = self.ratios
        return at(ratios, 0.25), at(ratios, 0.75)


@attrs.frozen
class Mark:
    """`met` is None when there were too few calls to say."""

    what: str
    measured: str
    limit: str
    met: bool | None


@attrs.define
class Race:
    """Everything one run has seen, by variant name."""

    machine: str
    blocks: dict[str, list[Block]] = attrs.field(factory=dict)
    cost: Cost | None = None
    missing: dict[str, str] = attrs.field(factory=dict)

    def figure(self, name: str) -> Figure | None:
        blocks = self.blocks.get(name)
        return figure(blocks) if blocks else None

    def marks(self) -> list[Mark]:
        """The marks of issue 4, as far as their figures were taken."""
        hedged, alone, slowed = (self.figure(variant.name) for variant in (HEDGED, ALONE, SLOWED))
        marks = []
        if hedged and alone:
            calls = min(hedged.calls, alone.calls)
            marks.append(ms_mark("p99 ≤ 2 × p95 of the best alone", hedged.p99_ms, 2 * alone.p95_ms, calls))
        if hedged:
            marks.append(ms_mark("p99.9 ≤ 150 ms", hedged.p999_ms, 150.0, hedged.calls, ENOUGH_FOR_P999))
            marks.append(share_mark("extra upstream calls ≤ 6 %", hedged))
        if slowed:
            marks.append(share_mark("extra upstream calls ≤ 6 %, all slowed × 5", slowed))
        if self.cost:
            met = self.cost.ratio <= 1.05
            marks.append(Mark("CPU per un-hedged call ≤ 1.05 × hedging off", f"{self.cost.ratio:.3f}", "1.05", met))
        return marks

    def missed(self) -> list[Mark]:
        """Those that were judged and not met."""
        return [mark for mark in self.marks() if mark.met is False]


def ms_mark(what: str, measured: float, limit: float, calls: int, enough: int = ENOUGH_FOR_P99) -> Mark:
    return Mark(what, f"{measured:.1f} ms", f"{limit:.1f} ms", measured <= limit if calls >= enough else None)


def share_mark(what: str, figure: Figure) -> Mark:
    met = figure.extra <= 0.06 if figure.calls >= ENOUGH_FOR_A_SHARE else None
    return Mark(what, f"{figure.extra:.2%}", "6 %", met)

"""Measurements of one run, and what follows from them: medians, ratios, added latency, marks met or missed.

Pure values: no process, no socket, no clock. A figure that could not be taken is absent, never zero.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs
from closed_loop import Window
from open_loop import Latencies
from scenarios import STRAIGHT, Row

MARKS = (
    ("CPU per call ≤ 6 × nginx", "nginx", 6.0),
    ("CPU per call ≤ 1/14 of the plain stack", "plain", 1 / 14),
    ("CPU per call grows ≤ 10 % from 3 to 50 providers", "providers", 1.10),
    ("added p50 ≤ 0.3 ms at 200 calls/s", "p50_ms", 0.3),
)
OURS = "lasso, fastest"


@attrs.frozen
class CpuFigure:
    """Medians over the repetitions. `upstream_calls` per call: above 1 by hedges, retries and probes."""

    us_per_call: float
    lowest: float
    highest: float
    calls_per_s: float
    busy: float
    upstream_calls: float
    resident_mib: float


@attrs.frozen
class LatencyFigure:
    """Milliseconds, medians over the repetitions; `kept_up` is False when calls stayed unanswered."""

    p50_ms: float
    p99_ms: float
    kept_up: bool


@attrs.define
class Run:
    """Everything one run has seen. Latency keys are (row label or STRAIGHT + workload, rate)."""

    rows: tuple[Row, ...]
    machine: str
    windows: dict[str, list[Window]] = attrs.field(factory=dict)
    upstream: dict[str, list[float]] = attrs.field(factory=dict)
    resident: dict[str, float] = attrs.field(factory=dict)
    latencies: dict[tuple[str, int], list[Latencies]] = attrs.field(factory=dict)
    missing: dict[str, str] = attrs.field(factory=dict)

    def cpu(self, label: str) -> CpuFigure | None:
        windows = self.windows.get(label)
        if not windows:
            return None
        costs = [window.us_per_call for window in windows]
        return CpuFigure(
            us_per_call=statistics.median(costs),
            lowest=min(costs),
            highest=max(costs),
            calls_per_s=statistics.median(window.calls / window.wall_s for window in windows),
            busy=statistics.median(window.busy for window in windows),
            upstream_calls=statistics.median(self.upstream[label]),
            resident_mib=self.resident[label],
        )

    def ratio(self, label: str, other: str) -> float | None:
        one, two = self.cpu(label), self.cpu(other)
        return one.us_per_call / two.us_per_call if one and two else None

    def latency(self, label: str, rate: int) -> LatencyFigure | None:
        taken = self.latencies.get((label, rate))
        return at_quantiles(taken) if taken else None

    def added(self, row: Row, rate: int) -> LatencyFigure | None:
        """Measured minus the same load straight to the upstream, quantile by quantile."""
        through, straight = self.latency(row.label, rate), self.latency(straight_label(row.workload.name), rate)
        if through is None or straight is None:
            return None
        return LatencyFigure(through.p50_ms - straight.p50_ms, through.p99_ms - straight.p99_ms, through.kept_up)

    def marks(self) -> list[tuple[str, float, float]]:
        """(what, measured, limit) of every mark whose figures were taken."""
        ours = next((row for row in self.rows if row.label == OURS), None)
        if ours is None:
            return []
        latency = self.added(ours, 200)
        measured = {
            "nginx": self.ratio(OURS, ours.beside),
            "plain": self.ratio(OURS, ours.plain),
            "providers": self.ratio("lasso, 50 providers", OURS),
            "p50_ms": latency.p50_ms if latency else None,
        }
        return [(what, value, limit) for what, key, limit in MARKS if (value := measured[key]) is not None]


def straight_label(workload: str) -> str:
    return f"{STRAIGHT}, {workload}"


def at_quantiles(taken: Sequence[Latencies]) -> LatencyFigure:
    p50, p99 = (statistics.median(run.at(quantile) for run in taken) * 1e3 for quantile in (0.5, 0.99))
    return LatencyFigure(p50, p99, all(run.kept_up for run in taken))

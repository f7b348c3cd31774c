"""How a run reads: tables in Markdown (terminal and docs/performance.md alike) and one JSON object.

The document's tables live between `<!-- bench:begin -->` and `<!-- bench:end -->`; everything else in it is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import attrs
from figures import CpuFigure, LatencyFigure, Run, straight_label
from scenarios import RATES, Row

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
NEW_DOCUMENT = (
    f"# What it costs\n\nMeasured by `nox -s bench -- --docs`, which rewrites this section.\n\n{BEGIN}\n{END}\n"
)


def markdown(run: Run) -> str:
    parts = [run.machine, "", *cpu_table(run), "", *latency_table(run)]
    if marks := list(marks_table(run)):
        parts += ["", *marks]
    parts += [f"\nNot measured: {name}: {reason}" for name, reason in run.missing.items()]
    return "\n".join(parts)


def cpu_table(run: Run) -> Iterator[str]:
    yield "CPU per call, 32 kept-alive clients, medians (range over repetitions). A batch is ten calls; nginx"
    yield "and the plain stack pass it on as one request, so their figures for it are of another kind than ours."
    yield ""
    yield "| target | CPU µs | range | × nginx | plain stack | calls/s | core busy | upstream calls | RSS MiB |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for row in run.rows:
        figure = run.cpu(row.label)
        if figure is not None:
            yield cpu_line(run, row, figure)


def cpu_line(run: Run, row: Row, figure: CpuFigure) -> str:
    beside, plain = run.ratio(row.label, row.beside), run.ratio(row.label, row.plain)
    cells = [
        row.label,
        f"{figure.us_per_call:.1f}",
        f"{figure.lowest:.1f}-{figure.highest:.1f}",
        f"{beside:.2f}" if beside else "",
        f"1/{1 / plain:.1f}" if plain else "",
        f"{figure.calls_per_s:.0f}",
        f"{figure.busy:.0%}",
        f"{figure.upstream_calls:.2f}",
        f"{figure.resident_mib:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def latency_table(run: Run) -> Iterator[str]:
    yield "Added latency at fixed arrival rates (open loop, counted from when a call was due): measured minus the same"
    yield "load straight to the upstream, ms. TLS rows are compared with the plain upstream."
    yield ""
    yield "| target | calls/s | added p50 | added p99 | p50 | p99 |"
    yield "|---|--:|--:|--:|--:|--:|"
    for workload, rates in RATES.items():
        for rate in rates:
            straight = run.latency(straight_label(workload), rate)
            if straight is not None:
                yield latency_line(straight_label(workload), rate, None, straight)
    for row in run.rows:
        for rate in RATES[row.workload.name]:
            through = run.latency(row.label, rate)
            if through is not None:
                yield latency_line(row.label, rate, run.added(row, rate), through)


def latency_line(label: str, rate: int, added: LatencyFigure | None, through: LatencyFigure) -> str:
    if not through.kept_up:
        return f"| {label} | {rate} | did not keep up | | ≥ {through.p50_ms:.0f} | ≥ {through.p99_ms:.0f} |"
    difference = f"{added.p50_ms:.2f} | {added.p99_ms:.2f}" if added else " | "
    return f"| {label} | {rate} | {difference} | {through.p50_ms:.2f} | {through.p99_ms:.2f} |"


def marks_table(run: Run) -> Iterator[str]:
    marks = run.marks()
    if marks:
        yield "| mark | measured | met |"
        yield "|---|--:|---|"
    for what, measured, limit in marks:
        yield f"| {what} | {measured:.3f} | {'yes' if measured <= limit else 'NO'} |"


def as_json(run: Run) -> str:
    """Every figure by its row's label, and the raw values of every window."""
    cpu = {row.label: attrs.asdict(figure) for row in run.rows if (figure := run.cpu(row.label))}
    windows = {label: [attrs.asdict(window) for window in taken] for label, taken in run.windows.items()}
    latency = [
        {"label": label, "rate": rate, **attrs.asdict(taken)}
        for label, rate in run.latencies
        if (taken := run.latency(label, rate))
    ]
    marks = [{"mark": what, "measured": measured, "limit": limit} for what, measured, limit in run.marks()]
    content = {"machine": run.machine, "cpu": cpu, "windows": windows, "latency": latency, "marks": marks}
    return json.dumps(content | {"missing": run.missing}, indent=1, ensure_ascii=False)


def refresh(document: Path, run: Run) -> None:
    """Put the tables between the markers; a document that does not exist yet is begun."""
    rewrite(document, BEGIN, markdown(run), END)


def rewrite(document: Path, begin: str, content: str, end: str) -> None:
    """Put `content` between two markers of a document. Raises ValueError when it does not have them."""
    text = document.read_text(encoding="utf-8") if document.exists() else NEW_DOCUMENT
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{document} has no {begin} … {end}")
    document.write_text(f"{before}{begin}\n{content}\n{end}{after}", encoding="utf-8")

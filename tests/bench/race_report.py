"""How a race reads: one table, what hedging did, the marks, one JSON object, and the picture's curves.

In docs/performance.md the tables live between `<!-- race:begin -->` and `<!-- race:end -->`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import attrs
import race_plot
from race_figures import Cost, Figure, Hedges, Race, pooled, tail
from race_variants import SIGMA, SLOWED, STALL_MS, STALL_SHARE, STEADY, VARIANTS, Plan
from report import rewrite

BEGIN, END = "<!-- race:begin -->", "<!-- race:end -->"
VERDICTS = {True: "yes", False: "NO", None: "too few calls to say"}


def markdown(race: Race, plan: Plan) -> str:
    parts = [race.machine, "", circumstances(plan), "", *table(race), "", *hedge_table(race)]
    if race.cost:
        parts += ["", cost_line(race.cost)]
    if marks := list(marks_table(race)):
        parts += ["", *marks]
    parts += [f"\nNot measured: {name}: {reason}" for name, reason in race.missing.items()]
    return "\n".join(parts)


def circumstances(plan: Plan) -> str:
    blocks = f"{plan.rounds} blocks of {plan.calls // plan.rounds}" if plan.rounds > 1 else "one block"
    return (
        f"About {plan.calls} calls per row at {plan.rate:.0f} calls/s (Poisson), in {blocks} that take turns, after "
        f"{plan.warm_s:.0f} s per row that are not counted; the slowed rows in one block each.\n"
        f"Lognormal latencies with σ = {SIGMA:g}, and {STALL_SHARE:.0%} stalls of {STALL_MS / 1000:g} s."
    )


def table(race: Race) -> Iterator[str]:
    yield "| | calls | errors | p50 ms | p95 ms | p99 ms | p99.9 ms | max ms | extra upstream calls | CPU µs per call |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for variant in VARIANTS:
        found = race.figure(variant.name)
        if found is not None:
            yield row(variant.label, found)


def row(label: str, figure: Figure) -> str:
    times = (figure.p50_ms, figure.p95_ms, figure.p99_ms, figure.p999_ms, figure.max_ms)
    unanswered = f" ({figure.unanswered} never answered)" if figure.unanswered else ""
    cells = [
        label + unanswered,
        f"{figure.calls}",
        f"{figure.failed}",
        *(f"{ms:.1f}" if ms < 1000 else f"{ms:.0f}" for ms in times),
        f"{figure.extra:.2%}",
        f"{figure.cpu_us:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def hedge_table(race: Race) -> Iterator[str]:
    yield "| | hedges fired | won | wasted | late and not hedged, by reason |"
    yield "|---|--:|--:|--:|---|"
    for variant in VARIANTS:
        found = race.figure(variant.name)
        if found is not None:
            yield f"| {variant.label} | {hedge_cells(found.hedges)} |"


def hedge_cells(hedges: Hedges | None) -> str:
    if hedges is None:
        return "not told | | | "
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(hedges.suppressed.items()))
    return f"{hedges.fired} | {hedges.won} | {hedges.wasted} | {reasons or 'none'}"


def cost_line(cost: Cost) -> str:
    (low, high), on, off = cost.spread, cost.on_us, cost.off_us
    return (
        f"CPU of a call that is not late, {len(on)} pairs of windows, medians: hedging on {median(on):.1f} µs "
        f"(lowest {min(on):.1f}), off {median(off):.1f} µs (lowest {min(off):.1f}).\n"
        f"On ÷ off {cost.ratio:.3f} (median of the pairs), {low:.3f} to {high:.3f} (the middle half of them); "
        f"extra upstream calls while on: {cost.extra:.3%}."
    )


def marks_table(race: Race) -> Iterator[str]:
    marks = race.marks()
    if marks:
        yield "| mark | measured | limit | met |"
        yield "|---|--:|--:|---|"
    for mark in marks:
        yield f"| {mark.what} | {mark.measured} | {mark.limit} | {VERDICTS[mark.met]} |"


def as_json(race: Race, plan: Plan) -> str:
    """Every figure by its variant's name, each block's without its latencies, and the tails."""
    figures = {v.name: attrs.asdict(found) for v in VARIANTS if (found := race.figure(v.name))}
    skipped = attrs.filters.exclude("latencies")
    blocks = {name: [attrs.asdict(block, filter=skipped) for block in taken] for name, taken in race.blocks.items()}
    content = {
        "machine": race.machine,
        "plan": attrs.asdict(plan),
        "figures": figures,
        "blocks": blocks,
        "tails_ms": {name: in_ms(race, name) for name in race.blocks},
        "cost": attrs.asdict(race.cost) if race.cost else None,
        "marks": [attrs.asdict(mark) for mark in race.marks()],
        "missing": race.missing,
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def in_ms(race: Race, name: str) -> list[tuple[float, float]]:
    return [(seconds * 1e3, share) for seconds, share in tail(pooled(race.blocks[name]))]


def picture(race: Race) -> str:
    drawn = [variant for variant in (*STEADY, SLOWED) if variant.name in race.blocks]
    calls = min((len(pooled(race.blocks[variant.name])) for variant in drawn), default=0)
    note = f"three providers, p50 20/25/30 ms, 1 % stalls of 2 s; {calls} calls per line or more; nox -s bench -- race"
    curves = {variant.label: in_ms(race, variant.name) for variant in drawn}
    return race_plot.drawing("How long calls take, with and without hedging", note, curves)


def refresh(document: Path, image: Path, race: Race, plan: Plan) -> None:
    """The tables into the document, the picture beside it."""
    shown = f"![How long calls take, with and without hedging]({image.parent.name}/{image.name})"
    rewrite(document, BEGIN, f"{markdown(race, plan)}\n\n{shown}", END)
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_text(picture(race), encoding="utf-8")

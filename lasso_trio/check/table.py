"""The report for people: a table by family, what is to be done below it. What others said is text, never markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lasso_trio.check.checklist import FAMILIES, FAMILY_OF
from lasso_trio.check.report import Report, Result
from lasso_trio.check.row import Row
from lasso_trio.check.verdict import State

STYLES: Final = {State.PASS: "green", State.WARN: "yellow", State.FAIL: "bold red", State.SKIP: "dim"}
SECONDS: Final = 1


def show(console: Console, report: Report, *, fix_hints: bool = False) -> None:
    """Every row; with `fix_hints` also what to do about those that did not pass, and where that is explained."""
    console.print(_table(report.results, fix_hints))
    for remark in report.remarks:
        console.print(Text(remark, STYLES[State.FAIL]))
    for why in report.unable:
        console.print(Text(f"not all could be looked at: {why}", STYLES[State.WARN]))
    console.print(_sum(report))
    if not fix_hints and any(_wants_a_hint(result) for result in report.results):
        console.print(Text("--fix-hints says what to do", "dim"))


def _table(results: Sequence[Result], fix_hints: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, options in (("", {"no_wrap": True}), ("check", {}), ("", {"no_wrap": True}), ("why", {})):
        table.add_column(heading, **options)  # type: ignore[arg-type]  # rich types them one by one
    for family in FAMILIES:
        for result in (each for each in results if FAMILY_OF.get(each.row.id) == family):
            style = STYLES[result.state]
            state = Text(result.state.value, style)
            table.add_row(Text(result.row.id), Text(result.row.title), state, _why(result, fix_hints))
    return table


def _why(result: Result, fix_hints: bool) -> Text:
    text = Text(result.verdict.why)
    if fix_hints and _wants_a_hint(result):
        text.append(f"\n→ {result.verdict.todo or 'see the page'} ({result.row.docs})", "italic")
    return text


def _wants_a_hint(result: Result) -> bool:
    return result.state is not State.PASS


def _sum(report: Report) -> Text:
    text = Text("")
    for state, count in report.counts.items():
        text.append(f"{count} {state}", STYLES[State(state)] if count else "dim")
        text.append(", ")
    where = "" if report.url is None else f" of {report.url}"
    text.append(f"in {report.seconds:.{SECONDS}f} s{where}")
    return text.append(" (interrupted)" if report.interrupted else "")


def listing(console: Console, rows: Sequence[Row]) -> None:
    """What there is to check, and what each wants."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "check", "family", "wants", "docs"):
        table.add_column(heading)
    for row in rows:
        wants = "a node" if row.is_online else "the environment and the profiles"
        table.add_row(row.id, row.title, FAMILY_OF[row.id], wants, row.docs)
    console.print(table)

from __future__ import annotations

import io

import attrs
from rich.console import Console

from lasso_trio.check import checklist
from lasso_trio.check.report import Report, Result
from lasso_trio.check.table import listing, show
from lasso_trio.check.verdict import failed, passed

ROWS = {row.id: row for row in checklist.ROWS}
REPORT = Report(
    "http://n", (Result(ROWS["E1"], passed("long [bold]enough")), Result(ROWS["P5"], failed("0 of 9", "do it"))), 2.0
)


def printed(report: Report = REPORT, *, hints: bool = False, colour: bool = False) -> str:
    out = io.StringIO()
    show(Console(file=out, width=120, force_terminal=colour, no_color=not colour), report, fix_hints=hints)
    return out.getvalue()


def test_each_row_has_its_line_and_the_last_one_sums_up() -> None:
    text = printed()
    assert "E1  SECRET_KEY_BASE" in text
    assert "long [bold]enough" in text  # what others say is no markup
    assert "1 pass, 0 warn, 1 fail, 0 skip, in 2.0 s of http://n" in text
    assert "do it" not in text
    assert "--fix-hints" in text


def test_hints_say_what_to_do_and_where_it_is_explained() -> None:
    text = printed(hints=True)
    assert "→ do it (docs/profiles.md#the-profile)" in text
    assert "--fix-hints" not in text


def test_what_must_be_known_is_said_whatever_the_rows_say() -> None:
    told = {"remarks": ("still cordoned",), "unable": ("nobody answers",)}
    text = printed(attrs.evolve(REPORT, **told, interrupted=True, url=None))
    assert "still cordoned" in text
    assert "not all could be looked at: nobody answers" in text
    assert "(interrupted)" in text


def test_colour_is_for_terminals() -> None:
    assert "\x1b[" in printed(colour=True)
    assert "\x1b[" not in printed()


def test_the_list_says_what_each_row_wants() -> None:
    out = io.StringIO()
    listing(Console(file=out, width=120), checklist.ROWS)
    assert len(out.getvalue().splitlines()) == len(checklist.ROWS) + 1
    assert "the environment and the profiles" in out.getvalue()

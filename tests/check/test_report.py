from __future__ import annotations

import json
from typing import Any

import pytest

from lasso_trio.check import checklist
from lasso_trio.check.report import Report, Result
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned


def report(*verdicts: Verdict, **rest: Any) -> Report:
    results = tuple(Result(row, verdict) for row, verdict in zip(checklist.ROWS, verdicts, strict=False))
    return Report("http://n", results, 1.25, **rest)


@pytest.mark.parametrize(
    ("verdicts", "rest", "code"),
    [
        ((passed("a"), warned("b", "c"), skipped("d", "e")), {}, 0),
        ((passed("a"), failed("b", "c")), {}, 1),
        ((warned("a", "b"),), {"strict": True}, 1),
        ((skipped("a", "b"),), {"strict": True}, 0),
        ((passed("a"),), {"interrupted": True}, 2),
        ((passed("a"), skipped("b", "c")), {"unable": ("nobody answers",)}, 2),
        ((failed("a", "b"),), {"unable": ("nobody answers",)}, 1),
        ((failed("a", "b"),), {"interrupted": True}, 1),
    ],
)
def test_the_exit_code_says_how_it_went(verdicts: tuple[Verdict, ...], rest: dict[str, Any], code: int) -> None:
    assert report(*verdicts, **rest).exit_code == code


def test_the_shape_for_programs_has_all_there_is() -> None:
    row = json.loads(json.dumps(report(passed("well", n=1), failed("ill", "cure")).to_json()))
    assert set(row) == {
        "format", "version", "at", "url", "seconds", "interrupted", "exit_code", "counts", "unable", "remarks",
        "checks",
    }  # fmt: skip
    assert row["counts"] == {"pass": 1, "warn": 0, "fail": 1, "skip": 0}
    assert row["at"].endswith("Z")
    assert row["checks"][0] == {
        "id": "E1",
        "title": "SECRET_KEY_BASE",
        "family": "environment",
        "state": "pass",
        "why": "well",
        "todo": "",
        "docs": "docs/settings.md#variables",
        "figures": {"n": 1},
    }

"""A race that misses one of its marks fails, and names it."""

from __future__ import annotations

import pytest
from race import verdict
from race_figures import ENOUGH_FOR_P999, Block, Race
from race_variants import ALONE, HEDGED

CALLS = ENOUGH_FOR_P999


def race(hedged_s: float, extra: int = 0, calls: int = CALLS) -> Race:
    alone, hedged = Block(calls, calls, 1.0, (0.05,) * calls), Block(calls, calls + extra, 1.0, (hedged_s,) * calls)
    return Race("here", {ALONE.name: [alone], HEDGED.name: [hedged]})


def test_a_race_that_meets_its_marks_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(race(0.09)) == 0
    assert "missed" not in "".join(capsys.readouterr())


def test_one_that_misses_a_mark_fails_and_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(race(0.09, extra=CALLS // 10)) == 1
    told = "".join(capsys.readouterr())
    assert "missed: extra upstream calls ≤ 6 %: 10.00%" in told
    assert "p99" not in told


def test_what_had_too_few_calls_to_be_judged_is_not_missed() -> None:
    assert verdict(race(0.5, calls=100)) == 0


def test_what_could_not_be_measured_fails_too() -> None:
    broken = race(0.09)
    broken.missing["latencies"] = "it did not start"
    assert verdict(broken) == 1

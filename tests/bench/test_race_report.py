"""A race reads as tables, JSON and a picture; what is missing is said, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from race_figures import Block, Cost, Hedges, Race
from race_report import BEGIN, END, as_json, markdown, picture, refresh
from race_variants import ALONE, HEDGED, QUICK, UNHEDGED

BLOCK = Block(100, 103, 0.006, tuple(n / 1000 for n in range(1, 101)), hedges=Hedges(3, 2, 1, {"budget": 4}))


@pytest.fixture
def race() -> Race:
    unhedged = attrs.evolve(BLOCK, late=2, hedges=None)
    return Race("a machine", {HEDGED.name: [BLOCK], UNHEDGED.name: [unhedged]}, Cost((61.0,), (60.0,), 0.0))


def test_a_variants_row_has_its_figures(race: Race) -> None:
    text = markdown(race, QUICK)
    assert "| hedging (default) | 100 | 0 | 51.0 | 96.0 | 100.0 | 100.0 | 100.0 | 3.00% | 60 |" in text
    assert "| hedging (default) | 3 | 2 | 1 | budget 4 |" in text
    assert "| no hedging | not told" in text
    assert "no hedging (2 never answered)" in text
    assert ALONE.label not in text


def test_marks_say_when_there_were_too_few_calls(race: Race) -> None:
    assert "| p99.9 ≤ 150 ms | 100.0 ms | 150.0 ms | too few calls to say |" in markdown(race, QUICK)


def test_what_could_not_be_measured_is_said(race: Race) -> None:
    race.missing["latencies"] = "it did not start"
    assert "Not measured: latencies: it did not start" in markdown(race, QUICK)


def test_json_has_the_tails_and_not_every_call(race: Race) -> None:
    told = json.loads(as_json(race, QUICK))
    assert told["figures"][HEDGED.name]["p99_ms"] == pytest.approx(100.0)
    assert "latencies" not in told["blocks"][HEDGED.name][0]
    assert told["tails_ms"][HEDGED.name][-1] == [pytest.approx(99.0), 0.01]


def test_documents_are_changed_between_the_markers_only(race: Race, tmp_path: Path) -> None:
    document, image = tmp_path / "performance.md", tmp_path / "images" / "race.svg"
    document.write_text(f"before\n{BEGIN}\nof the run before\n{END}\nafter\n", encoding="utf-8")
    refresh(document, image, race, QUICK)
    text = document.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\na machine")
    assert text.endswith(f"{END}\nafter\n")
    assert "of the run before" not in text
    assert image.read_text(encoding="utf-8") == picture(race)


def test_a_document_without_a_place_for_it_is_refused(race: Race, tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("nothing here\n", encoding="utf-8")
    with pytest.raises(ValueError, match="race:begin"):
        refresh(document, tmp_path / "race.svg", race, QUICK)

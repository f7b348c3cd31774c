from __future__ import annotations

import re

import pytest

from lasso_trio.check import checklist, network
from lasso_trio.check.verdict import State
from tests.check.conftest import ROOT, World

IDS = [row.id for row in checklist.ROWS]


def anchors(page: str) -> set[str]:
    """Of a page of documentation, as its headings make them."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_row_of_the_production_checklist_is_there_in_its_order() -> None:
    counts = {"E": 10, "P": 7, "H": 6, "M": 4, "N": 3, "D": 5}
    assert [f"{letter}{n}" for letter, last in counts.items() for n in range(1, last + 1)] == IDS


@pytest.mark.parametrize("id_", IDS)
def test_each_row_passes_where_all_is_well(world: World, id_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "is_guarded", bool)
    verdict = world.say(id_)
    assert (verdict.state, verdict.todo) == (State.PASS, ""), verdict


@pytest.mark.parametrize("row", checklist.ROWS, ids=IDS)
def test_each_row_is_explained_on_a_page_that_exists(row: checklist.Row) -> None:
    page, _, anchor = row.docs.partition("#")
    assert (ROOT / page).is_file()
    assert not anchor or anchor in anchors(page)


def test_a_family_stands_for_its_rows_and_case_does_not_matter() -> None:
    assert checklist.ids(["e1, p5", "network"]) == ["E1", "P5", "N1", "N2", "N3"]


def test_a_name_that_is_no_rows_is_told_with_the_nearest() -> None:
    assert checklist.unknown(["E1"]) == []
    assert checklist.unknown(["E11"]) == ["no check 'E11' (did you mean 'E1'?)"]
    assert checklist.unknown(["WHAT"]) == ["no check 'WHAT'"]


def test_rows_are_chosen_and_left_out() -> None:
    assert [row.id for row in checklist.chosen(["P5", "E1"], [])] == ["E1", "P5"]
    assert len(checklist.chosen([], ["E1"])) == len(IDS) - 1

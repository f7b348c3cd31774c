from __future__ import annotations

import pytest

from lasso_trio.check.facts import Facts, LoadSeen, NodeSeen, there
from lasso_trio.check.row import Need
from lasso_trio.check.setup import Setup
from tests.check.conftest import World, json_page


def test_every_need_has_its_field() -> None:
    fields = Facts.__attrs_attrs__  # type: ignore[attr-defined]
    assert {need.value for need in Need} < {field.name for field in fields}


def test_rates_of_a_load_without_calls_or_time_are_zero() -> None:
    assert (LoadSeen(0, 0, 0, 0.0).error_rate, LoadSeen(0, 0, 0, 0.0).per_second) == (0.0, 0.0)
    assert (LoadSeen(10, 1, 0, 2.0).error_rate, LoadSeen(10, 1, 0, 2.0).per_second) == (0.1, 5.0)


def test_the_newest_health_counts(world: World) -> None:
    pages = (json_page({"node_id": "old"}), json_page({"node_id": "new", "cluster": "odd"}))
    facts = Facts(Setup({}, world.folder), node=NodeSeen(pages, pages[0], pages[0]))
    assert facts.health["node_id"] == "new"
    assert facts.in_cluster == {}


def test_a_row_may_not_look_at_what_it_does_not_need() -> None:
    with pytest.raises(AssertionError, match="among its needs"):
        there(None)

"""The Grafana dashboard is the script's, and every query of it names metrics and labels that exist."""

from __future__ import annotations

import json
import re

import pytest

from scripts import grafana_dashboard
from tests.scripts.expressions import problems

DASHBOARD = json.loads(grafana_dashboard.FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]]


def test_the_dashboard_is_not_stale() -> None:
    stale = "deploy/grafana/lasso.json is stale: run `python scripts/grafana_dashboard.py`"
    assert grafana_dashboard.FILE.read_text(encoding="utf-8") == grafana_dashboard.render(), stale


@pytest.mark.parametrize("expression", [expression for expression, _ in QUERIES])
def test_queries_name_what_there_is(expression: str) -> None:
    assert list(problems(expression)) == []


def test_variables_ask_for_what_there_is() -> None:
    queries = [each["query"]["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    assert len(queries) == 3
    for query in queries:
        expression, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()  # type: ignore[union-attr]
        assert list(problems(f"sum by ({label}) ({expression})")) == []


@pytest.mark.parametrize(("expression", "legend"), QUERIES)
def test_legends_name_labels_that_the_query_leaves(expression: str, legend: str) -> None:
    for label in re.findall(r"\{\{(\w+)\}\}", legend):
        grouping = re.search(r"\bby \(([^)]*)\)", expression)
        assert grouping is None or label in grouping[1], (expression, legend)
        assert list(problems(f"sum by ({label}) ({expression})")) == []


def test_no_panel_lies_on_another() -> None:
    seen = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & seen, panel["title"]
        assert place["x"] + place["w"] <= 24
        seen |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(lasso_call_total[5m])", "there is no lasso_call_total"),
        ('lasso_calls_total{provider="a"}', "lasso_calls_total has no provider"),
        ("sum by (method) (lasso_calls_total)", "nothing has method"),
        ("rate(lasso_upstream_latency_seconds[5m])", "there is no lasso_upstream_latency_seconds"),
        ("1 > 0", "names no metric: 1 > 0"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, problem: str) -> None:
    assert list(problems(expression)) == [problem]

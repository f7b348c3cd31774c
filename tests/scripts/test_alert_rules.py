"""The alert rules: each names what there is, is documented, and has a promtool test that fires it and one that not.

What the rules do is promtool's to test (tests/e2e/test_promtool.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import strictyaml

from tests.scripts.expressions import labels_of, problems

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"


def load(name: str) -> dict[str, Any]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return dict(strictyaml.dirty_load(text, allow_flow_style=True).data)


RULES = [rule for group in load("lasso.rules.yml")["groups"] for rule in group["rules"]]
TESTS = [each for test in load("lasso.rules.test.yml")["tests"] for each in test["alert_rule_test"]]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_names_what_there_is(rule: dict[str, Any]) -> None:
    assert list(problems(rule["expr"])) == []
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_a_rule_is_documented_and_tested_both_ways(name: str) -> None:
    assert f"## {name}\n" in (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert sorted(bool(each["exp_alerts"]) for each in TESTS if each["alertname"] == name) == [False, True]


def test_the_tests_series_are_such_as_the_node_tells() -> None:
    for test in load("lasso.rules.test.yml")["tests"]:
        for series in test["input_series"]:
            name, _, labels = series["series"].partition("{")
            known = labels_of(name)
            assert known is not None, name
            given = {pair.split("=")[0] for pair in labels.rstrip("}").split(",")}
            assert given <= known, series

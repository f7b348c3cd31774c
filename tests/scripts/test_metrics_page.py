"""The page of metrics is the register of metrics, always."""

from __future__ import annotations

from lasso_trio.metrics.registry import BY_NAME
from scripts import metrics_page


def test_the_page_is_not_stale() -> None:
    stale = "docs/metrics.md is stale: run `python scripts/metrics_page.py`"
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.render() + "\n", stale


def test_every_metric_has_a_line() -> None:
    page = metrics_page.render()
    assert [name for name in BY_NAME if f"\n| `{name}` |" not in page] == []

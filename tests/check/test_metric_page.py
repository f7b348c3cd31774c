from __future__ import annotations

import math

import pytest

from lasso_trio.check.metric_page import MetricPage
from tests.check.conftest import METRICS


def test_families_are_known_by_the_names_that_rules_use() -> None:
    page = MetricPage.of(METRICS)
    assert page.has("lasso_calls_total")
    assert page.has("lasso_upstream_latency_seconds")
    assert page.lacks(("lasso_tasks", "lasso_nothing")) == ["lasso_nothing"]


def test_sums_are_over_all_labels() -> None:
    page = MetricPage.of('# TYPE a gauge\na{x="1"} 2\na{x="2"} 3\n')
    assert (page.total("a"), page.total("b")) == (5.0, 0.0)


def test_a_quantile_is_its_buckets_upper_bound() -> None:
    page = MetricPage.of(METRICS)
    assert page.quantile("lasso_upstream_latency_seconds", 0.5) == 0.1
    assert page.quantile("lasso_upstream_latency_seconds", 0.995) == 2.5
    assert page.quantile("lasso_upstream_latency_seconds", 1.0) == math.inf
    assert page.quantile("lasso_nothing", 0.5) is None


def test_what_is_no_page_of_metrics_is_refused() -> None:
    with pytest.raises(ValueError):
        MetricPage.of("<!doctype html>\n")

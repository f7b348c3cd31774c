from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check.facts import DoorsSeen
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.page import Page
from lasso_trio.check.verdict import State
from tests.check.conftest import METRICS, World, json_page, without

FAIL, WARN, PASS = State.FAIL, State.WARN, State.PASS
HTML = Page("http://node:4001/dashboard", 200, "text/html", b"<!doctype html>")
LOGIN = Page("http://node:4001/dashboard", 303, location="/dashboard/login?next=%2Fdashboard")
CLOSED = json_page({}, 401)


def doors(dashboard: Page = LOGIN, **changed: Any) -> DoorsSeen:
    return attrs.evolve(DoorsSeen(dashboard, HTML, CLOSED, CLOSED), **changed)


@pytest.mark.parametrize(
    ("environ", "seen", "state", "why"),
    [
        ({}, doors(HTML), FAIL, "everybody who reaches"),
        ({"LASSO_ENV": ""}, doors(HTML), WARN, "everybody who reaches"),
        ({}, doors(json_page({})), FAIL, "application/json"),
        ({}, doors(Page("u", fault="refused")), FAIL, "refused"),
        ({}, doors(json_page({}, 404)), FAIL, "HTTP 404"),
        ({"LASSO_DASHBOARD": "off"}, doors(json_page({}, 404)), PASS, "there is none"),
        ({}, doors(json_page({}, 403)), PASS, "closed"),
        ({}, doors(Page("u", 302, location="https://sso.example")), PASS, "sso.example"),
        ({}, doors(login=None), FAIL, "login page"),
        ({}, doors(login=json_page({}, 500)), FAIL, "HTTP 500"),
        ({}, doors(inside=json_page({"profiles": []})), FAIL, "without one"),
        ({}, doors(admin=json_page({"instances": []})), FAIL, "without a token"),
        ({}, doors(on_main=HTML), FAIL, "main port as well"),
        ({}, doors(on_main=json_page({}, 404)), PASS, "behind a login"),
    ],
)
def test_a_dashboard_that_anybody_may_see_is_told(
    world: World, environ: dict[str, str], seen: DoorsSeen, state: State, why: str
) -> None:
    verdict = world.say("M1", environ, doors=seen)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


@pytest.mark.parametrize(
    ("id_", "page", "state", "why"),
    [
        ("M2", without(METRICS, "lasso_calls"), FAIL, "lasso_calls_total"),
        ("M2", without(METRICS, "lasso_upstream_latency"), FAIL, "lasso_upstream_latency_seconds"),
        ("M3", without(METRICS, "process_cpu"), FAIL, "process_cpu_seconds_total"),
        ("M3", without(METRICS, "lag_samples"), WARN, "not measured"),
        ("M3", without(METRICS, "lag_seconds"), FAIL, "lasso_loop_lag_seconds"),
        ("M3", MetricPage.of(METRICS.replace("0.004", "0.4")), WARN, "400.0 ms"),
        ("M4", without(METRICS, "lasso_failovers"), FAIL, "lasso_failovers_total"),
        ("M4", MetricPage.of(METRICS.replace('provider="own"} 1', 'provider="own"} 0')), WARN, "public/ethereum/own"),
        (
            "M4",
            MetricPage.of(METRICS.replace('"own"} 1', '"own"} 0').replace('c"} 1\n', 'c"} 0\n')),
            FAIL,
            "no provider",
        ),
    ],
)
def test_metrics_that_are_missing_or_bad_are_told(
    world: World, id_: str, page: MetricPage, state: State, why: str
) -> None:
    verdict = world.say(id_, metrics=page)
    assert (verdict.state, why in verdict.why) == (state, True), verdict

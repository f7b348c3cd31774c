from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check.facts import FailoverSeen, LogSeen, MatesSeen, RegionsSeen, ShippedSeen
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.recovery import SETTINGS_PAGE
from lasso_trio.check.verdict import State
from tests.check.conftest import CLUSTER, METRICS, World, json_page

FAIL, WARN, PASS, SKIP = State.FAIL, State.WARN, State.PASS, State.SKIP


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        (FailoverSeen("a", ("b",), cordoned=True, restored=False, fault="HTTP 500"), FAIL, "could not be taken back"),
        (FailoverSeen("a", alone=True), FAIL, "one provider"),
        (FailoverSeen("a", fault="nobody else is healthy"), FAIL, "nobody else is healthy"),
        (FailoverSeen("a", ("b", "a"), cordoned=True), FAIL, "went on answering"),
        (FailoverSeen("a", ("b", "c", "b"), cordoned=True), PASS, "b, c answered"),
    ],
)
def test_a_failover_that_does_not_happen_is_told(world: World, seen: FailoverSeen, state: State, why: str) -> None:
    verdict = world.say("D1", failover=seen)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


def cluster(**changed: Any) -> dict[str, Any]:
    return {**CLUSTER, **changed}


def covered(expected: int, responding: int) -> dict[str, int]:
    return {"expected": expected, "responding": responding}


GONE = [{"id": "a", "state": "responding"}, {"id": "eu-west-1", "state": "disconnected"}]
SILENT = MatesSeen(problems={"10.0.0.2:4000": "HTTP 503"})


@pytest.mark.parametrize(
    ("row", "status", "mates", "state", "why"),
    [
        ({}, 500, None, FAIL, "HTTP 500"),
        ({"enabled": False}, 200, None, SKIP, "a lone node"),
        (cluster(coverage=covered(1, 1), nodes_counted=1), 200, None, FAIL, "one node"),
        (cluster(coverage=covered(3, 2), nodes=GONE, nodes_counted=3), 200, None, FAIL, "figures of 3"),
        (cluster(coverage=covered(3, 1), nodes=GONE, nodes_counted=1, status="critical"), 200, None, FAIL, "1 of 3"),
        (cluster(coverage=covered(3, 2), nodes=GONE), 200, None, WARN, "eu-west-1 shown as gone"),
        (cluster(), 200, SILENT, FAIL, "10.0.0.2:4000 does not serve"),
        (cluster(coverage=covered(3, 2)), 200, None, FAIL, "one does not serve"),
        (cluster(), 200, None, PASS, "2 of 2"),
    ],
)
def test_a_node_that_fails_and_is_not_left_out_is_told(
    world: World, row: dict[str, Any], status: int, mates: MatesSeen | None, state: State, why: str
) -> None:
    verdict = world.say("D2", cluster=json_page(row, status), mates=mates)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


@pytest.mark.parametrize(
    ("problems", "state"),
    [({"us": "", "eu": "HTTP 503"}, FAIL), ({"us": ""}, WARN), ({"us": "", "eu": ""}, PASS)],
)
def test_a_region_that_is_not_ready_is_told(world: World, problems: dict[str, str], state: State) -> None:
    assert world.say("D3", regions=RegionsSeen(problems)).state is state


def test_a_runbook_that_leaves_something_out_is_told(world: World) -> None:
    shipped = world.facts.shipped
    assert shipped is not None
    assert world.say("D4", shipped=attrs.evolve(shipped, runbook=None)).state is SKIP
    lacking = world.say("D4", shipped=attrs.evolve(shipped, runbook="Restart it. Look at the dashboard."))
    assert lacking.state is FAIL
    assert lacking.why == "the runbook says nothing on troubleshooting, common issues"
    unsaid = attrs.evolve(shipped, files={SETTINGS_PAGE: shipped.files[SETTINGS_PAGE].replace("LASSO_GRACE_S", "")})
    assert "LASSO_GRACE_S" in world.say("D4", shipped=unsaid).why
    assert world.say("D4", shipped=ShippedSeen({}, shipped.runbook)).state is PASS


@pytest.mark.parametrize(
    ("old", "new", "state", "why"),
    [
        ('errors_total{chain="ethereum"} 2', 'errors_total{chain="ethereum"} 10', FAIL, "1.00% errors"),
        ('calls_total{chain="ethereum"} 1000', 'calls_total{chain="ethereum"} 0', SKIP, "no calls yet"),
        ('le="0.1"} 990', 'le="0.1"} 900', WARN, "p95 is 2.5 s"),
        ('opened_total{upstream="a"} 1', 'opened_total{upstream="a"} 4', WARN, "trip often"),
        ("# TYPE lasso_tasks gauge", "lasso_breaker_quarantined 1", WARN, "quarantined"),
        ("# TYPE lasso_tasks gauge", "lasso_crashes_total 1", WARN, "contained"),
        ("nothing", "changed", PASS, "1000 calls"),
    ],
)
def test_first_days_that_go_badly_are_told(world: World, old: str, new: str, state: State, why: str) -> None:
    verdict = world.say("D5", metrics=MetricPage.of(METRICS.replace(old, new)), log=None)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


def test_errors_in_the_log_are_told(world: World) -> None:
    verdict = world.say("D5", log=LogSeen(9, errors=2, error_example="child.crashed"))
    assert verdict.state is WARN
    assert "2 lines of level error" in verdict.why

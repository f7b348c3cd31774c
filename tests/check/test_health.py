from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check.facts import LogSeen, NodeSeen, PublicSeen, ShippedSeen, SocketSeen
from lasso_trio.check.health import HEALTHCHECK, LOGS, RULES
from lasso_trio.check.page import Page
from lasso_trio.check.verdict import State
from lasso_trio.probe.finding import WebSocket
from tests.check.conftest import CALL, HEALTH, World, json_page

FAIL, WARN, PASS, SKIP = State.FAIL, State.WARN, State.PASS, State.SKIP
READY = json_page({"status": "ready"})
DRAINING = json_page({"status": "not_ready", "reason": "draining"}, 503)


def node(*health: Page, ready: Page = READY) -> NodeSeen:
    return NodeSeen(health or (json_page(HEALTH),), ready, json_page({}))


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        (node(Page("u", fault="refused")), FAIL, "refused"),
        (node(json_page(HEALTH, 500)), FAIL, "HTTP 500"),
        (node(json_page(HEALTH), json_page(HEALTH, 502)), FAIL, "HTTP 502"),
        (node(json_page(HEALTH, seconds=5.5)), FAIL, "liveness waits 5 s"),
        (node(Page("u", 200, "text/html", b"<p>")), FAIL, "no JSON object but text/html"),
        (node(json_page({**HEALTH, "version": None})), FAIL, "lacks version"),
        (node(json_page({**HEALTH, "status": "sick"})), FAIL, "says sick"),
        (node(ready=DRAINING), FAIL, "draining"),
        (node(ready=json_page({}, seconds=3.5)), FAIL, "3.5 s"),
        (node(ready=Page("u", fault="no answer in time")), FAIL, "no answer in time"),
        (node(json_page(HEALTH, seconds=1.5)), WARN, "1.5 s"),
        (node(), PASS, "healthy and ready"),
    ],
)
def test_health_that_an_orchestrator_would_not_take_is_told(
    world: World, seen: NodeSeen, state: State, why: str
) -> None:
    verdict = world.say("H1", node=seen)
    assert verdict.state is state
    assert why in verdict.why


@pytest.mark.parametrize(
    ("shared", "state", "why"),
    [
        ({}, FAIL, "shares nothing"),
        ({"shared": {"lanes": {"cache": {"state": "down", "reason": "refused"}}}}, WARN, "cache: refused"),
        ({"shared": {"lanes": {"cache": {"state": "up"}}}}, PASS, "healthy"),
    ],
)
def test_a_redis_that_is_configured_and_not_reached_is_told(
    world: World, shared: dict[str, Any], state: State, why: str
) -> None:
    verdict = world.say("H1", {"LASSO_REDIS_URL": "redis://r"}, node=node(json_page({**HEALTH, **shared})))
    assert (verdict.state, why in verdict.why) == (state, True)


RIGHT = "HEALTHCHECK " + " ".join(f"--{k}={v}" for k, v in HEALTHCHECK.items()) + " CMD \\\n  curl /api/health\n"


@pytest.mark.parametrize(
    ("text", "state", "why"),
    [
        (RIGHT, PASS, "every 30s"),
        (RIGHT.replace("30s", "90s"), FAIL, "interval is 90s"),
        (RIGHT.replace("--retries=3", ""), FAIL, "retries is not set"),
        (RIGHT.replace("/api/health", "/"), FAIL, "does not ask /api/health"),
        ("FROM scratch\n", FAIL, "no HEALTHCHECK"),
        (None, SKIP, "no Containerfile"),
    ],
)
def test_a_container_that_is_not_asked_for_its_health_is_told(
    world: World, text: str | None, state: State, why: str
) -> None:
    verdict = world.say("H2", shipped=ShippedSeen({} if text is None else {"Containerfile": text}))
    assert (verdict.state, why in verdict.why) == (state, True)


def public(**changed: Any) -> PublicSeen:
    nothing = json_page({}, 404)
    seen = PublicSeen("https://rpc.example.com", json_page(HEALTH, version="HTTP/2"), nothing, nothing, nothing)
    return attrs.evolve(seen, **changed)


def socket(is_public: bool = True, **found: Any) -> SocketSeen:
    return SocketSeen("wss://rpc.example.com/ws", is_public, WebSocket(**found))


@pytest.mark.parametrize(
    ("environ", "facts", "state", "why"),
    [
        ({}, {"public": public(url="http://rpc.example.com")}, FAIL, "not https"),
        ({"LASSO_ENV": ""}, {"public": public(url="http://rpc.example.com")}, WARN, "not https"),
        ({}, {"public": public(health=Page("u", fault="certificate verify failed"))}, FAIL, "certificate"),
        ({}, {"public": public(health=json_page({}, 502))}, FAIL, "HTTP 502"),
        ({}, {"public": public(health=json_page({"hello": 1}))}, FAIL, "is not the node"),
        ({}, {"public": public(health=json_page(HEALTH, version="HTTP/1.1"))}, WARN, "not HTTP/2"),
        ({}, {"socket": socket(problem="refused: HTTP 400")}, FAIL, "no WebSocket"),
        (
            {},
            {"socket": socket(connected=True, subscribed=True, problem="no new head within 20 s")},
            WARN,
            "no new head",
        ),
        ({}, {"socket": socket(connected=True)}, WARN, "no subscription"),
        ({}, {"socket": socket(False, problem="refused")}, PASS, "TLS"),
        ({}, {"socket": None}, WARN, "not tried"),
        ({"LASSO_TRUSTED_PROXIES": "0.0.0.0/0"}, {}, FAIL, "trusts everybody"),
        ({"LASSO_TRUSTED_PROXIES": ""}, {}, WARN, "share one limit"),
    ],
)
def test_a_way_in_from_outside_that_is_not_right_is_told(
    world: World, environ: dict[str, str], facts: dict[str, Any], state: State, why: str
) -> None:
    verdict = world.say("H3", environ, **facts)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


@pytest.mark.parametrize(
    ("environ", "log", "state", "why"),
    [
        ({"LASSO_LOG_FORMAT": "pretty"}, LogSeen(5, CALL, True), FAIL, "pretty"),
        ({}, LogSeen(), FAIL, "no line of JSON"),
        ({}, LogSeen(5), FAIL, "no rpc.request.completed"),
        ({}, LogSeen(5, {**CALL, "timestamp": "2026-11-21 14:29:03"}), FAIL, "timestamp"),
        ({}, LogSeen(5, {**CALL, "timing": {}}), FAIL, "timing.upstream_latency_ms is missing"),
        ({}, LogSeen(5, {**CALL, "strategy": 7}), FAIL, "strategy is of another type"),
        ({}, LogSeen(5, {**CALL, "routing": None}), FAIL, "routing.retries is missing"),
        ({}, LogSeen(5, CALL), WARN, "none of the check's own"),
        ({}, LogSeen(5, CALL, True), PASS, "all of its members"),
    ],
)
def test_a_log_that_programs_cannot_read_is_told(
    world: World, environ: dict[str, str], log: LogSeen, state: State, why: str
) -> None:
    verdict = world.say("H4", environ, log=log)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


def test_logs_that_nothing_bounds_are_told(world: World) -> None:
    assert world.facts.shipped is not None
    files = dict(world.facts.shipped.files)
    assert world.say("H5", shipped=ShippedSeen({**files, LOGS[0]: "services: {}"})).state is FAIL
    assert world.say("H5", shipped=ShippedSeen({LOGS[0]: files[LOGS[0]]})).state is FAIL
    assert world.say("H5", shipped=ShippedSeen()).state is SKIP


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("lasso_breaker_opened_total", "lasso_calls_total", "no alert for breaker openings"),
        ("lasso_loop_lag_seconds", "lasso_loop_lag_hours", "lasso_loop_lag_hours"),
    ],
)
def test_alerts_that_would_never_come_are_told(world: World, old: str, new: str, why: str) -> None:
    assert world.facts.shipped is not None
    rules = world.facts.shipped.files[RULES]
    verdict = world.say("H6", shipped=ShippedSeen({RULES: rules.replace(old, new)}))
    assert (verdict.state, why in verdict.why) == (FAIL, True)
    assert world.say("H6", shipped=ShippedSeen()).state is SKIP

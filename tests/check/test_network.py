from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check.facts import Facts, LoadSeen, MachineSeen, PublicSeen, StrategiesSeen
from lasso_trio.check.page import Page
from lasso_trio.check.verdict import State
from tests.check.conftest import PROFILE, World, json_page

FAIL, WARN, PASS, SKIP = State.FAIL, State.WARN, State.PASS, State.SKIP
NOTHING = json_page({}, 404)
DEV = {"LASSO_ENV": ""}


def public(**changed: Any) -> PublicSeen:
    return attrs.evolve(PublicSeen("https://r", json_page({}), NOTHING, NOTHING, NOTHING), **changed)


@pytest.mark.parametrize(
    ("environ", "seen", "state", "why"),
    [
        ({}, public(metrics=Page("u", 200, "text/plain", b"lasso_calls_total 1")), FAIL, "/metrics can be read"),
        ({}, public(admin=json_page({"instances": []})), FAIL, "/admin can be used"),
        ({}, public(exchange=json_page({"error": "version"}, 401)), FAIL, "nodes of the cluster"),
        (DEV, public(admin=json_page({}, 401)), WARN, "asks for its token"),
        ({"LASSO_OPS_PORT": ""}, None, WARN, "port of the calls"),
        ({}, None, WARN, "strangers are let in by public"),
        (DEV, public(), PASS, "calls only"),
        (DEV, None, PASS, "4000 for calls, 4001 for operators"),
        ({"PORT": "many"}, None, SKIP, "cannot be read"),
    ],
)
def test_ports_that_are_open_to_too_many_are_told(
    world: World, environ: dict[str, str], seen: PublicSeen | None, state: State, why: str
) -> None:
    verdict = world.say("N1", environ, public=seen)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


GOOD = LoadSeen(1000, 1, 0, 1.0, 5.0, 9.0, 20.0, cpu_s=0.3, concurrency=20, example="HTTP 500")


@pytest.mark.parametrize(
    ("load", "machine", "state", "why"),
    [
        (GOOD, MachineSeen(2, 8 << 30, 100 << 30), PASS, "3333 calls a second per CPU"),
        (attrs.evolve(GOOD, cpu_s=4.0), MachineSeen(2), FAIL, "250 calls"),
        (attrs.evolve(GOOD, cpu_s=None), MachineSeen(2), SKIP, "metrics cannot be read"),
        (attrs.evolve(GOOD, sent=10), MachineSeen(2), SKIP, "too short"),
        (GOOD, MachineSeen(1, 512 << 20, 100 << 30), WARN, "512 MiB of memory"),
        (GOOD, MachineSeen(1, 8 << 30, 3 << 30), WARN, "3 GiB of disk"),
    ],
)
def test_a_machine_that_carries_too_little_is_told(
    world: World, load: LoadSeen, machine: MachineSeen, state: State, why: str
) -> None:
    verdict = world.say("N2", load=load, machine=machine)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


@pytest.mark.parametrize(
    ("load", "state", "why"),
    [
        (attrs.evolve(GOOD, errors=10), FAIL, "HTTP 500"),
        (attrs.evolve(GOOD, sent=0), FAIL, "not one call"),
        (attrs.evolve(GOOD, limited=7), WARN, "7 more were refused"),
        (attrs.evolve(GOOD, p95_ms=1500.0), WARN, "p95 1500.0"),
        (attrs.evolve(GOOD, p99_ms=5500.0), WARN, "p99 5500.0"),
        (attrs.evolve(GOOD, paced=True), PASS, "paced"),
    ],
)
def test_a_load_that_is_not_carried_is_told(world: World, load: LoadSeen, state: State, why: str) -> None:
    verdict = world.say("N3", load=load)
    assert (verdict.state, why in verdict.why) == (state, True), verdict


def test_a_strategy_that_does_not_answer_is_told(world: World) -> None:
    broken = StrategiesSeen({"fastest": "", "priority": "HTTP 404", "load-balanced": "HTTP 404"})
    verdict = world.say("N3", strategies=broken)
    assert verdict.state is FAIL
    assert "/rpc/priority/" in verdict.why
    assert "1 more" in verdict.why
    assert world.say("N3", strategies=None).state is PASS


def test_a_profile_is_guarded_where_strangers_are_refused(world: World) -> None:
    guarded = PROFILE.replace(b"slug: public", b"slug: public\nnetworks: [10.0.0.0/8]")
    assert world.say("N1", text=guarded, public=None).state is PASS


def test_facts_of_no_node_have_no_health(world: World) -> None:
    assert Facts(world.facts.setup).in_cluster == {}

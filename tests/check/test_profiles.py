from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check import profiles
from lasso_trio.check.facts import LimitSeen, LogSeen
from lasso_trio.check.setup import Setup
from lasso_trio.check.verdict import State
from tests.check.conftest import METRICS, PROFILE, World, without

FAIL, WARN, PASS, SKIP = State.FAIL, State.WARN, State.PASS, State.SKIP
HEAD = b"name: Public\nslug: public\n"


@pytest.mark.parametrize(
    ("id_", "text", "state", "why"),
    [
        ("P1", PROFILE.replace(b"chain_id: 1", b"chain_id: one"), FAIL, "public.yml:7:"),
        ("P1", b"chains: [", FAIL, "not valid YAML"),
        ("P2", PROFILE.replace(b"name: Public\n", b""), FAIL, "name is missing"),
        ("P2", PROFILE.replace(b"slug: public\n", b""), FAIL, "slug is missing"),
        ("P2", PROFILE.replace(b"chain_id: 1", b"block_time_ms: 1"), FAIL, "ethereum: chain_id"),
        ("P2", PROFILE.replace(b"id: drpc", b"name: drpc"), FAIL, "provider 1: id"),
        ("P2", PROFILE.replace(b"url: https://own.example", b"priority: 1"), FAIL, "provider 2: url"),
        ("P2", HEAD + b"chains: {}\n", FAIL, "at least one chain"),
        ("P2", HEAD + b"chains: {a: {chain_id: 1, providers: []}}\n", FAIL, "at least one provider"),
        ("P2", HEAD + b"chains: {a: nothing}\n", FAIL, "a: chain_id"),
        ("P2", b"chains: [", FAIL, "cannot be read"),
        ("P4", PROFILE.replace(b"slug: public", b"slug: public\nrps_limit: 1000000"), FAIL, "limits nobody"),
        ("P4", PROFILE.replace(b"slug: public", b"slug: public\nburst_limit: 10"), WARN, "below a second"),
        ("P4", PROFILE, PASS, "100/s, burst 500"),
        ("P6", PROFILE, PASS, "1 of 2 providers"),
        ("P7", PROFILE, PASS, "DRPC_KEY"),
    ],
)
def test_a_profile_that_is_not_as_it_must_be_is_told(
    world: World, id_: str, text: bytes, state: State, why: str
) -> None:
    verdict = world.say(id_, text=text)
    assert verdict.state is state
    assert why in verdict.why


@pytest.mark.parametrize("id_", ["P2", "P4", "P6", "P7"])
def test_without_profiles_nothing_is_said_of_them_but_that(world: World, id_: str) -> None:
    empty = Setup.read({}, world.folder / "nowhere")
    assert world.say(id_, setup=empty).state is SKIP
    assert world.say("P1", setup=empty).state is FAIL


def test_an_empty_list_of_files_is_no_valid_one(world: World) -> None:
    assert world.say("P1", setup=attrs.evolve(world.facts.setup, files={})).state is FAIL


def test_hidden_files_and_others_are_no_profiles(world: World) -> None:
    (world.folder / "_draft.yml").write_text("nothing: here\n")
    (world.folder / "notes.txt").write_text("hello\n")
    assert world.say("P2", text=PROFILE).state is PASS
    assert world.say("P1", text=PROFILE).why.startswith("1 file in")


def test_only_a_few_of_many_problems_are_listed_and_the_others_counted(world: World) -> None:
    verdict = world.say("P1", text=PROFILE + b"".join(b"x%d: 1\n" % n for n in range(9)))
    assert "(and 4 more)" in verdict.why
    assert len(verdict.figures["problems"]) == 9


@pytest.mark.parametrize(
    ("log", "state"),
    [
        (LogSeen(5), SKIP),
        (LogSeen(5, started=True), FAIL),
        (LogSeen(5, loaded=("other",), started=True), FAIL),
        (LogSeen(5, loaded=("public", "other"), started=True), PASS),
    ],
)
def test_a_start_without_its_lines_on_profiles_is_told(world: World, log: LogSeen, state: State) -> None:
    assert world.say("P3", log=log).state is state


@pytest.mark.parametrize(
    ("seen", "state", "why"),
    [
        (LimitSeen("p", 20, 100, 150, 0, seconds=1.0), FAIL, "0 of 150"),
        (LimitSeen("p", 20, 100, 150, 0, seconds=4.0), SKIP, "too slow"),
        (LimitSeen("p", 20, 100, 150, 0, other="HTTP 502"), FAIL, "HTTP 502"),
        (LimitSeen("p", 20, 100, 150, 40), WARN, "without Retry-After"),
        (LimitSeen("p", 20, 100, 150, 40, told_when=True, other="HTTP 502"), WARN, "another one"),
        (LimitSeen("p", 20, 100, 150, 40, told_when=True), PASS, "40 of 150"),
    ],
)
def test_a_limit_that_does_not_hold_is_told(world: World, seen: LimitSeen, state: State, why: str) -> None:
    verdict = world.say("P5", limit=seen)
    assert verdict.state is state
    assert why in verdict.why


def test_a_node_that_does_not_show_its_breakers_is_told(world: World) -> None:
    assert world.say("P6", metrics=without(METRICS, "lasso_breaker_state")).state is FAIL
    assert world.say("P6", metrics=None).state is PASS


def test_what_cannot_be_archived_or_comes_out_otherwise_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    files = world.facts.setup.files
    odd = attrs.evolve(world.facts.setup, files={**files, ".hidden": b"x"})
    assert world.say("P7", setup=odd).state is FAIL

    named = attrs.evolve(world.facts.setup, files={**files, "b.yml": b"auth: {keys_file: ../keys.yml}"})
    assert "b.yml:1: ../keys.yml" in world.say("P7", setup=named).why

    def other(_: bytes) -> tuple[Any, dict[str, bytes]]:
        return None, {}

    monkeypatch.setattr(profiles.archive, "unpack", other)
    assert "not what went in" in world.say("P7").why

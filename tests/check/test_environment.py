from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.check.facts import GitSeen, MatesSeen, NodeSeen
from lasso_trio.check.verdict import State
from tests.check.conftest import HEALTH, METRICS, PROFILE, World, json_page, without

FAIL, WARN, PASS, SKIP = State.FAIL, State.WARN, State.PASS, State.SKIP
DEV = {"LASSO_ENV": ""}
LONE = {"CLUSTER_DNS_QUERY": "", "CLUSTER_NODE_BASENAME": ""}


def node(**cluster: Any) -> NodeSeen:
    row = {**HEALTH, "cluster": {"enabled": True, "nodes_total": 2, "problems": [], **cluster}}
    return NodeSeen((json_page(row),), json_page({}), json_page({}))


@pytest.mark.parametrize(
    ("id_", "environ", "facts", "state", "why"),
    [
        ("E1", {"SECRET_KEY_BASE": ""}, {}, FAIL, "not set"),
        ("E1", {"SECRET_KEY_BASE": "", **LONE, **DEV}, {}, WARN, "not prod"),
        ("E1", {"SECRET_KEY_BASE": "short"}, {}, FAIL, "5 bytes"),
        ("E1", {"SECRET_KEY_BASE": "s" * 64}, {}, WARN, "1 different"),
        ("E1", {}, {"git": GitSeen(True, holding=("deploy/.env",))}, FAIL, "deploy/.env"),
        ("E1", {}, {"git": GitSeen(True, dotenv_tracked=True)}, FAIL, ".env is tracked"),
        ("E1", {}, {"git": GitSeen(True, committed="abc1234")}, FAIL, "was committed: abc1234"),
        ("E1", {}, {"git": GitSeen(True)}, PASS, "history was not looked at to its end"),
        ("E1", {}, {"git": GitSeen(True, whole=True)}, PASS, "not in git's files nor its history"),
        ("E1", {}, {"git": GitSeen()}, PASS, "could not be seen"),
        ("E1", {}, {"node": node(problems=["secret"])}, FAIL, "different ones"),
        ("E2", {"PHX_HOST": ""}, {}, FAIL, "not set"),
        ("E2", {"PHX_HOST": "", **DEV}, {}, WARN, "not set"),
        ("E2", {"PHX_HOST": "localhost"}, {}, FAIL, "no public name"),
        ("E2", {"PHX_HOST": "https://rpc.example.com"}, {}, FAIL, "without scheme"),
        ("E3", {"PHX_SERVER": "false"}, {}, FAIL, "nothing listens"),
        ("E3", {"PHX_SERVER": "maybe"}, {}, FAIL, "true or false"),
        ("E3", {"PHX_SERVER": ""}, {}, PASS, "by default"),
        ("E4", {"LASSO_NODE_ID": ""}, {}, FAIL, "not set"),
        ("E4", {"LASSO_NODE_ID": "local", **DEV}, {}, WARN, "local"),
        ("E4", {"LASSO_NODE_ID": "two words"}, {}, FAIL, "one word"),
        ("E4", {"LASSO_NODE_ID": "0123456789ab"}, {}, WARN, "changes"),
        ("E4", {"LASSO_NODE_ID": "eu-west-1"}, {}, WARN, "the node says us-east-1"),
        ("E4", {}, {"node": node(problems=["duplicate_id"])}, FAIL, "two nodes"),
        ("E5", {"PORT": "http"}, {}, FAIL, "integer"),
        ("E5", {"PORT": "0"}, {}, WARN, "another one"),
        ("E5", {"PORT": "4005"}, {}, WARN, "reached on 4000"),
        ("E5", {"PORT": ""}, {"url": None}, PASS, "default"),
        ("E5", {"PORT": "443"}, {"url": "https://node"}, PASS, "443"),
        ("E6", {"PHX_SCHEME": "http"}, {}, FAIL, "http in production"),
        ("E6", {"PHX_SCHEME": "gopher"}, {}, FAIL, "one of"),
        ("E6", DEV, {}, WARN, "not prod"),
        ("E6", {"PHX_SCHEME": "https", **DEV}, {}, PASS, "https"),
        ("E7", {"DRPC_KEY": ""}, {}, FAIL, "DRPC_KEY"),
        ("E8", {"CLUSTER_DNS_QUERY": ""}, {}, FAIL, "CLUSTER_DNS_QUERY is not"),
        ("E8", {"CLUSTER_NODE_BASENAME": ""}, {}, FAIL, "CLUSTER_NODE_BASENAME is not"),
        ("E8", {"CLUSTER_PORT": "many"}, {}, FAIL, "CLUSTER_PORT"),
        ("E8", LONE, {}, WARN, "in a cluster"),
        ("E8", LONE, {"node": node(enabled=False)}, PASS, "lone"),
        ("E9", {}, {"mates": MatesSeen("there is no such name")}, FAIL, "no such name"),
        ("E9", {}, {"mates": MatesSeen(problems={"a": "", "b": "refused"})}, FAIL, "1 of 2"),
        ("E9", {}, {"mates": MatesSeen(problems={"a": ""})}, FAIL, "1 of the 2"),
        ("E9", {}, {"mates": MatesSeen(problems={"a": ""}), "node": node(nodes_total=1)}, WARN, "one node only"),
        ("E9", {}, {"node": node(problems=["dns"])}, FAIL, "cannot resolve"),
        ("E10", {"LASSO_VM_METRICS_ENABLED": "perhaps"}, {}, FAIL, "true or false"),
        ("E10", {"LASSO_VM_METRICS_ENABLED": "false"}, {}, WARN, "turned off"),
        ("E10", {}, {"metrics": without(METRICS, "lag_samples")}, FAIL, "does not measure"),
        ("E10", {}, {"metrics": None}, PASS, "on"),
    ],
)
def test_a_variable_that_is_not_as_it_must_be_is_told(
    world: World, id_: str, environ: dict[str, str], facts: dict[str, Any], state: State, why: str
) -> None:
    verdict = world.say(id_, environ, **facts)
    assert verdict.state is state
    assert why in verdict.why
    assert bool(verdict.todo) is (state is not PASS)


def test_no_value_of_a_secret_is_ever_told(world: World) -> None:
    hidden = ("k" * 24, world.facts.setup.get("SECRET_KEY_BASE"))
    for id_ in ("E1", "E7"):
        for environ in ({}, {"SECRET_KEY_BASE": hidden[1][:20], "DRPC_KEY": "key-of-drpc\n"}):
            said = str(world.say(id_, environ))
            assert not any(value in said for value in (*hidden, hidden[1][:20], "key-of-drpc"))


def test_a_key_in_the_profile_itself_is_told_by_file_and_line(world: World) -> None:
    verdict = world.say("E7", text=PROFILE.replace(b"${DRPC_KEY}", b"A1b2C3d4E5f6A1b2C3d4E5f6A1b2C3d4"))
    assert verdict.state is WARN
    assert "public.yml:10" in verdict.why
    assert "A1b2C3" not in str(verdict)


def test_profiles_without_variables_need_none_and_no_profiles_cannot_be_told(world: World) -> None:
    assert world.say("E7", text=PROFILE.replace(b"/${DRPC_KEY}", b"")).why == "the profiles need none"
    assert world.say("E7", setup=attrs.evolve(world.facts.setup, files={})).state is SKIP

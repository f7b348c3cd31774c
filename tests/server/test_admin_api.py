"""Orders of the operator, over the wire of the web application."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from quart_trio import QuartTrio
from structlog.testing import capture_logs

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.reload import Changes, ReloadResult
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.errors import Problem
from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.server.admin_api import Admin, force, serve
from lasso_trio.upstream.http1 import Pool

TOKEN = "a-long-enough-token"
NODE = Provider("a", "A", "1:a:0", SecretUrl("http://a/secret"))
MINE = Profile("mine", "Mine", (Chain("eth", 1, "Ethereum", (attrs.evolve(NODE, id="other-name"),)),))
PUBLIC = Profile("public", "Public", (Chain("eth", 1, "Ethereum", (NODE,), aliases=("mainnet",)),))


RELOADED = ReloadResult(True, 3, Changes(added=("x",)))
BAD = ["", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer another-token", f"Bearer {TOKEN}x", "Bearer é"]


@attrs.define
class Node:
    directory: Directory
    app: QuartTrio
    result: ReloadResult = RELOADED

    async def ask(self, method: str, path: str, body: str = "", auth: str = f"Bearer {TOKEN}") -> tuple[int, Any]:
        with capture_logs():
            response = await self.app.test_client().open(
                path, method=method, data=body, headers={"authorization": auth}
            )
        return response.status_code, json.loads(await response.get_data())

    async def reload(self, _: str) -> ReloadResult:
        return self.result

    @property
    def channel(self) -> Any:
        return self.directory.default.chains[0].candidates[0].channel


@pytest.fixture
def node() -> Node:
    directory, app = Directory.of(ProfileSet.of([PUBLIC, MINE]), Registry(Pool)), QuartTrio(__name__)
    made = Node(directory, app)
    serve(app, Admin(Secret(TOKEN), lambda: directory, made.reload))
    return made


@pytest.mark.parametrize("auth", BAD)
async def test_without_the_token_nothing_is_told_and_nothing_done(node: Node, auth: str) -> None:
    for method, path in (("GET", "/admin/providers"), ("POST", "/admin/providers/1:a:0/cordon"), ("GET", "/admin/x")):
        status, body = await node.ask(method, path, auth=auth)
        assert (status, body) == (401, {"error": "Unauthorized"})
    assert not node.channel.cordoned


async def test_who_is_refused_is_logged_without_a_key_in_the_path(node: Node) -> None:
    with capture_logs() as logs:
        await node.app.test_client().get("/admin/rpc/k/a-key-of-their-own/eth")
    assert [(line["event"], line["path"]) for line in logs] == [("admin.refused", "/admin/rpc/k/***/eth")]


async def test_the_schemes_case_does_not_matter(node: Node) -> None:
    assert (await node.ask("GET", "/admin/providers", auth=f"bearer {TOKEN}"))[0] == 200


async def test_every_instance_is_listed_once_with_all_its_names(node: Node) -> None:
    _, body = await node.ask("GET", "/admin/providers")
    (row,) = body["instances"]
    assert (row["instance"], row["names"]) == ("1:a:0", ["mine/eth/other-name", "public/eth/a"])
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize("which", ["1:a:0", "public/eth/a", "public/mainnet/a", "default/1/a", "mine/eth/other-name"])
async def test_a_provider_is_taken_out_and_back_in_under_any_of_its_names(node: Node, which: str) -> None:
    version = node.directory.registry.version.value
    status, row = await node.ask("POST", f"/admin/providers/{which}/cordon")
    assert (status, row["cordoned"], node.channel.cordoned) == (200, True, True)
    assert node.directory.registry.version.value > version
    status, row = await node.ask("POST", f"/admin/providers/{which}/uncordon")
    assert (status, row["cordoned"], node.channel.cordoned) == (200, False, False)


@pytest.mark.parametrize("which", ["1:b:0", "public", "public/eth", "public/eth/b", "nobody/eth/a", "public/base/a"])
async def test_who_is_not_there_is_not_found(node: Node, which: str) -> None:
    assert (await node.ask("POST", f"/admin/providers/{which}/cordon"))[0] == 404


@pytest.mark.parametrize("state", list(State))
async def test_a_breaker_is_brought_into_the_state_that_is_ordered(node: Node, state: State) -> None:
    status, row = await node.ask("POST", "/admin/providers/1:a:0/breaker", json.dumps({"state": state.value}))
    assert (status, row["channels"][0]["circuit_breaker"]["state"]) == (200, state.value)


@pytest.mark.parametrize("body", ["", "{}", '{"state":"ajar"}', "[]"])
async def test_an_order_without_a_state_is_refused(node: Node, body: str) -> None:
    status, told = await node.ask("POST", "/admin/providers/1:a:0/breaker", body)
    assert status == 400
    assert "half_open" in told["error"]


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_from_each_state_to_each(before: State, after: State) -> None:
    breaker = Breaker()
    force(breaker, before, 1.0)
    force(breaker, after, 2.0)
    assert breaker.state(1e9) is after


async def test_learned_limits_are_listed(node: Node) -> None:
    node.channel.learned.told(Kind.BLOCKS, 500, trio.current_time())
    node.channel.bans.ban("eth_getProof", trio.current_time())
    _, body = await node.ask("GET", "/admin/learned")
    (row,) = body["instances"]
    assert (row["instance"], row["limits"]) == ("1:a:0", {"blocks": 500})
    assert row["missing_methods"] in ([], ["eth_getProof"])  # some bans need to be said twice


async def test_a_reload_tells_what_changed_or_what_is_wrong(node: Node) -> None:
    assert await node.ask("POST", "/admin/reload") == (
        200, {"accepted": True, "generation": 3, "changes": ["+ x"], "problems": []},
    )  # fmt: skip
    node.result = ReloadResult(False, 3, problems=(Problem("a.yml", 4, "is wrong"),))
    status, body = await node.ask("POST", "/admin/reload")
    assert (status, body["accepted"], body["problems"]) == (422, False, ["a.yml:4: is wrong"])

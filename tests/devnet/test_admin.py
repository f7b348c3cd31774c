from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from lasso_trio.devnet import Chain, Devnet, Faults


@pytest.fixture
async def net() -> AsyncIterator[Devnet]:
    chain = Chain(block_time=None, start_height=100)
    async with Devnet.open({"a": Faults(), "b": Faults()}, chain=chain, admin_port=0) as net:
        yield net


@pytest.fixture
async def admin(net: Devnet) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{net.admin_port}", trust_env=False) as client:
        yield client


async def test_state_tells_the_chain_and_every_provider(net: Devnet, admin: httpx.AsyncClient) -> None:
    state = (await admin.get("/state")).json()
    assert (state["chain"]["chain_id"], state["chain"]["height"]) == (31337, 100)
    assert list(state["providers"]) == ["a", "b"]
    told = state["providers"]["a"]
    assert (told["up"], told["url"], told["height"], told["requests"]) == (True, net.url("a"), 100, 0)
    assert Faults.from_json(told["faults"]) == Faults()


async def test_faults_are_set_and_lifted(net: Devnet, admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/providers/a/faults", json={"lag": 5, "failures": [{"kind": "http", "share": 0.5}]})
    assert (answer.status_code, answer.json()["height"]) == (200, 95)
    assert net.providers["a"].plan.faults.failures[0].share == 0.5
    assert (await admin.delete("/providers/a/faults")).json()["height"] == 100
    assert net.providers["a"].plan.faults == Faults()


async def test_kill_and_revive(net: Devnet, admin: httpx.AsyncClient) -> None:
    assert (await admin.post("/providers/a/kill")).json()["up"] is False
    assert not net.is_up("a")
    assert (await admin.post("/providers/a/revive")).json()["up"] is True
    assert (await admin.post("/providers/a/drop")).status_code == 200


async def test_reorg_and_advance(net: Devnet, admin: httpx.AsyncClient) -> None:
    before = (await admin.get("/state")).json()["chain"]
    after = (await admin.post("/reorg", json={"depth": 2})).json()["chain"]
    assert (after["height"], after["reorgs"]) == (100, 1)
    assert after["hash"] != before["hash"]
    assert (await admin.post("/advance", json={"blocks": 7})).json()["chain"]["height"] == 107
    assert (await admin.post("/advance")).json()["chain"]["height"] == 108


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "text"),
    [
        ("POST", "/reorg", "{}", 400, "'depth' must be a whole number"),
        ("POST", "/reorg", '{"depth": 0}', 400, "depth must be between 1 and 100"),
        ("POST", "/reorg", '{"depth": "2"}', 400, "'depth' must be a whole number"),
        ("POST", "/reorg", "[1]", 400, "must be a JSON object"),
        ("POST", "/reorg", "{", 400, "not JSON"),
        ("POST", "/advance", '{"blocks": -1}', 400, "'blocks' must be a whole number"),
        ("POST", "/advance", '{"blocks": 1e99}', 400, "'blocks' must be a whole number"),
        ("POST", "/providers/a/faults", '{"lagg": 1}', 400, "unknown 'lagg'"),
        ("POST", "/providers/a/faults", '{"lag": -1}', 400, "lag"),
        ("POST", "/providers/c/kill", "", 404, "no provider 'c'; there are a, b"),
        ("GET", "/nothing", "", 404, "try GET /state"),
        ("GET", "/providers/a/kill", "", 405, "GET is not for"),
        ("DELETE", "/reorg", "", 405, "DELETE is not for"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    admin: httpx.AsyncClient, verb: str, path: str, body: str, status: int, text: str
) -> None:
    answer = await admin.request(verb, path, content=body)
    assert answer.status_code == status
    assert text in answer.json()["error"]


async def test_web_pages_are_refused(net: Devnet, admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/providers/a/kill", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert net.is_up("a")


async def test_a_port_that_was_taken_meanwhile_is_a_conflict(net: Devnet, admin: httpx.AsyncClient) -> None:
    port = net.providers["a"].port
    await net.kill("a")
    async with Devnet.open({"thief": Faults()}, ports={"thief": port or 0}):
        answer = await admin.post("/providers/a/revive")
    assert answer.status_code == 409
    assert "taken" in answer.json()["error"]


async def test_a_mistake_of_our_own_is_an_answer_too(admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lasso_trio.devnet.admin.state", lambda devnet: 1 / 0)
    assert (await admin.get("/state")).status_code == 500

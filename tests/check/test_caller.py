from __future__ import annotations

import httpx
import pytest
import trio

from lasso_trio.check.caller import Caller, Said, read, short
from tests.check.fake_node import FakeNode, reply, result


async def test_a_page_is_told_as_it_came() -> None:
    node = FakeNode({"/a": httpx.Response(303, headers={"location": "/b", "content-type": "text/HTML; charset=x"})})
    async with node.caller(x_key="1") as caller:
        page = await caller.get("http://n/a")
    assert (page.status, page.kind, page.location, page.version) == (303, "text/html", "/b", "HTTP/1.1")
    assert "x-key" not in node.asked[0].headers  # a stranger's look


async def test_what_a_network_does_is_told_and_not_raised() -> None:
    node = FakeNode({"/a": httpx.ConnectError("refused"), "/b": httpx.ReadTimeout("slow"), "/c": OSError("gone")})
    async with node.caller() as caller:
        assert [(await caller.get(f"http://n/{x}")).fault for x in "abc"] == ["refused", "no answer in time", "gone"]
        assert (await caller.post("http://n/a", b"{}")).problem == "refused"
        assert (await caller.get("http://[::1/")).fault


async def test_a_name_that_cannot_be_looked_up_is_told_and_not_raised() -> None:
    async with Caller.open({}, 1.0) as caller:
        assert (await caller.get(f"http://{'a' * 70}.invalid")).fault
        assert (await caller.post("http://a..b", b"{}")).problem


async def test_nobody_waits_longer_than_allowed(autojump_clock: trio.testing.MockClock) -> None:
    async def slow(_: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(slow)) as client:
        caller = Caller({}, 3.0, client)
        assert (await caller.get("http://n/")).said == "no answer in time"
        assert (await caller.post("http://n/", b"{}")).problem == "no answer in time"
    assert trio.current_time() < 10


async def test_a_call_that_is_limited_waits_and_is_made_once_more(autojump_clock: trio.testing.MockClock) -> None:
    answers = [reply({"error": {"code": -32005, "message": "slow down"}}, 429, retry_after="2"), result()]
    node = FakeNode({"/rpc": lambda _: answers.pop(0)})
    began = trio.current_time()
    async with node.caller(authorization="Bearer x") as caller:
        said = await caller.call("http://n/rpc", "eth_chainId", [])
    assert (said.status, said.problem, trio.current_time() - began) == (200, "", pytest.approx(2.0))
    assert node.asked[0].headers["authorization"] == "Bearer x"
    assert node.bodies()[0]["method"] == "eth_chainId"


async def test_a_call_that_stays_limited_is_told_as_such(autojump_clock: trio.testing.MockClock) -> None:
    node = FakeNode({"/rpc": reply({"error": {"code": 1, "message": "no"}}, 429, retry_after="soon")})
    async with node.caller() as caller:
        said = await caller.call("http://n/rpc", "eth_chainId", [])
    assert (said.limited, said.retry_after, len(node.asked)) == (True, None, 2)


@pytest.mark.parametrize("told", [b"\xb2", "١".encode(), b"-1", b""])
async def test_a_time_that_is_no_number_of_seconds_is_not_waited_for(
    told: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    limited = httpx.Response(429, json={"error": {"code": 1, "message": "no"}}, headers=[(b"retry-after", told)])
    async with FakeNode({"/rpc": limited}).caller() as caller:
        said = await caller.call("http://n/rpc", "eth_chainId", [])
    assert (said.limited, said.retry_after, trio.current_time()) == (True, None, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, b'{"result": null}', ""),
        (200, b'[{"result": 1}, {"error": {}}]', ""),
        (200, b'{"error": {"code": -32000, "message": "no\\nway"}}', "-32000 no way"),
        (502, b'{"result": 1}', "HTTP 502"),
        (200, b"{}", "HTTP 200"),
        (502, b"<html>", "HTTP 502, no JSON"),
        (200, b"[]", "HTTP 200, no JSON-RPC"),
        (200, b"[" * 100_000, "HTTP 200, no JSON"),
    ],
)
def test_what_an_answer_says(status: int, body: bytes, problem: str) -> None:
    assert read(status, body).problem == problem


def test_the_provider_is_read_from_the_metadata() -> None:
    said = read(200, b'{"result": 1, "lasso_meta": {"selected_provider": {"id": "a"}}}')
    assert said.provider == "a"
    assert read(200, b'{"result": 1, "lasso_meta": [1]}').provider == ""
    assert Said().provider == ""


def test_others_words_are_cut_and_kept_on_one_line() -> None:
    assert short("a\nb\x1b" + "c" * 500).startswith("a b c")
    assert len(short("c" * 500)) == 160


async def test_a_caller_opens_and_closes() -> None:
    async with Caller.open({"a": "b"}, 1.0) as caller:
        assert caller.headers == {"a": "b"}
    assert caller.client.is_closed

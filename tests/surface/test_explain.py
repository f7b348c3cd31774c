"""`?explain=1` over the wire: an answer to every call, and nothing goes upstream."""

from __future__ import annotations

import pytest

from .conftest import Surface, rpc


@pytest.mark.parametrize(("path", "fields"), [("/rpc/devnet?explain=1", {}), ("/rpc/devnet", {"X-Lasso-Explain": "1"})])
async def test_a_call_is_explained_and_not_sent(surface: Surface, path: str, fields: dict[str, str]) -> None:
    answer = await surface.ask("eth_blockNumber", path=path, fields=fields, id="mine")
    assert (answer.status, answer.json["id"]) == (200, "mine")
    assert {row["provider"] for row in answer.json["result"]["candidates"]} == {"alpha", "beta"}
    assert surface.calls() == {}


async def test_the_query_comes_before_the_header_and_no_is_no(surface: Surface) -> None:
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet?explain=0", fields={"X-Lasso-Explain": "1"})
    assert answer.json["result"] == "0x3e8"


async def test_each_call_of_a_batch_is_explained(surface: Surface) -> None:
    subscribe, block = rpc("eth_subscribe", "newHeads", id=1), rpc("eth_blockNumber", id=2)
    answer = await surface.post("/rpc/devnet?explain=1", b"[%b,%b,7]" % (subscribe, block))
    first, second, third = answer.json
    assert "error" in first
    assert second["result"]["method"] == "eth_blockNumber"
    assert "error" in third
    assert (await surface.post("/rpc/devnet?explain=1", b"[]")).error["code"] == -32600
    assert surface.calls() == {}


async def test_no_key_of_a_provider_is_in_it(surface: Surface) -> None:
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet?explain=1")
    assert b"http://" not in answer.body

"""Sticky filters and sessions as clients see them, over real sockets."""

from __future__ import annotations

import pytest

from lasso_trio.devnet import Faults
from tests.surface.conftest import CHAIN_ID, HEAD, Start, Surface, rpc

BALANCED = "/rpc/load-balanced/devnet"
MINE = {"X-Lasso-Session": "tab-1"}


async def test_filters_are_polled_where_they_were_made(surface: Surface) -> None:
    ids = [(await surface.ask("eth_newBlockFilter", path=BALANCED)).json["result"] for _ in range(12)]
    assert all(int(id_, 16) and hex(int(id_, 16)) == id_ for id_ in ids)
    made = surface.calls("eth_newBlockFilter")
    assert set(made) == {"alpha", "beta"}
    for id_ in ids:
        assert (await surface.ask("eth_getFilterChanges", id_, path=BALANCED)).json["result"] == []
    assert surface.calls("eth_getFilterChanges") == made


async def test_filters_of_a_batch_are_polled_where_they_were_made(surface: Surface) -> None:
    paths = [f"/rpc/provider/{name}/devnet" for name in ("alpha", "beta")]
    ids = [(await surface.ask("eth_newBlockFilter", path=path)).json["result"] for path in paths]
    items = [{"id": i, "method": "eth_getFilterChanges", "params": [id_]} for i, id_ in enumerate([*ids, *ids, "0x1"])]
    *found, lost = (await surface.post(BALANCED, items)).json
    assert [item["result"] for item in found] == [[], [], [], []]
    assert lost["error"] == {"code": -32000, "message": "filter not found"}
    assert surface.calls("eth_getFilterChanges") == {"alpha": 2, "beta": 2}


async def test_a_filter_of_one_profile_is_none_of_anothers(surface: Surface) -> None:
    id_ = (await surface.ask("eth_newBlockFilter")).json["result"]
    answer = await surface.ask("eth_getFilterChanges", id_, path="/rpc/profile/team/devnet")
    assert answer.error == {"code": -32000, "message": "filter not found"}


async def test_a_session_never_sees_the_chain_go_back(start: Start) -> None:
    surface = await start(alpha=Faults(), beta=Faults(lag=1), gamma=Faults(lag=4))
    shown = [
        int((await surface.ask("eth_blockNumber", path=BALANCED, fields=MINE)).json["result"], 16) for _ in range(30)
    ]
    assert shown == sorted(shown)
    assert shown[-1] == HEAD


async def test_all_calls_of_a_batch_share_its_session(start: Start) -> None:
    surface = await start(alpha=Faults(lag=4), beta=Faults())
    await surface.ask("eth_blockNumber", path="/rpc/provider/beta/devnet", fields=MINE)
    items = [{"id": i, "method": "eth_getBalance", "params": [f"0x{i:040x}", "latest"]} for i in range(6)]
    answers = (await surface.post("/rpc/priority/devnet", items, MINE)).json
    assert all("result" in item for item in answers)
    assert surface.calls("eth_getBalance") == {"beta": 6}


@pytest.mark.parametrize("least", [str(HEAD), hex(HEAD)])
async def test_a_client_may_name_the_block_itself(start: Start, least: str) -> None:
    surface = await start(alpha=Faults(lag=4), beta=Faults())
    answer = await surface.ask("eth_gasPrice", path="/rpc/priority/devnet", fields={"X-Lasso-Min-Block": least})
    assert "result" in answer.json
    assert surface.calls("eth_gasPrice") == {"beta": 1}


async def test_a_block_that_nobody_has_is_an_error_and_not_an_old_answer(surface: Surface) -> None:
    answer = await surface.ask("eth_gasPrice", fields={"X-Lasso-Min-Block": "5000"})
    assert answer.status == 200
    assert answer.error["data"] == {"reason": "behind_session", "min_block": "0x1388"}


@pytest.mark.parametrize("fields", [{"X-Lasso-Session": "x" * 65}, {"X-Lasso-Min-Block": "latest"}])
async def test_a_header_that_cannot_be_read_is_told(surface: Surface, fields: dict[str, str]) -> None:
    answer = await surface.ask("eth_blockNumber", fields=fields)
    assert (answer.status, answer.error["code"]) == (400, -32602)
    assert surface.calls() == {}


async def test_pages_may_send_the_headers(surface: Surface) -> None:
    answer = await surface.request("OPTIONS", "/rpc/devnet")
    assert {"x-lasso-session", "x-lasso-min-block"} <= set(answer["access-control-allow-headers"].split(", "))


async def test_what_needs_nobody_is_answered_in_a_session_too(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", rpc("eth_chainId"), {**MINE, "X-Lasso-Min-Block": "9999"})
    assert answer.json["result"] == hex(CHAIN_ID)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.devnet import ACCOUNTS, Failure, Faults, Kind
from lasso_trio.routing.state_depth import STATE, learn_depth

Build = Callable[..., Any]
Clock = trio.testing.MockClock
NOW = 5.0
HEAD = 1000


@pytest.mark.parametrize(
    ("method", "params", "known"),
    [
        ("eth_getBalance", '["0xA","0x10"]', {"state": 17}),
        ("eth_call", '[{},{"blockNumber":"0x10"}]', {"state": 17}),
        ("eth_call", '[{},"earliest"]', {"state": 1}),
        ("eth_call", '[{},"safe"]', {}),
        ("eth_call", "[{}]", {}),
        ("eth_call", '[{},{"blockHash":"0x10"}]', {}),
        ("eth_getProof", '["0xA",[],"0x10"]', {}),
        ("eth_getBlockByNumber", '["0x10",false]', {}),
        ("eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x20"}]', {}),
        ("eth_gasPrice", "[]", {}),
        ("trace_block", '["0x10"]', {}),
        ("debug_traceCall", '[{},"0x10",{}]', {}),
        ("eth_getBalance", f'["0xA","{HEAD - 129:#x}"]', {"state": HEAD - 128}),
        ("eth_getBalance", f'["0xA","{HEAD - 128:#x}"]', {}),
        ("eth_getBalance", '["0xA","0xffffffff"]', {}),
    ],
)
def test_only_a_call_for_the_state_of_an_old_block_by_its_number_tells_how_far_back_it_goes(
    chain_of: Build, method: str, params: str, known: dict[str, int]
) -> None:
    (a,) = chain_of("a").candidates
    learn_depth(a, method, params.encode(), NOW, consensus=HEAD, threshold=128)
    assert a.channel.learned.known(NOW) == known


def test_where_nobody_knows_the_height_no_number_but_the_first_is_old(chain_of: Build) -> None:
    (a,) = chain_of("a").candidates
    learn_depth(a, "eth_getBalance", b'["0xA","0x10"]', NOW, consensus=None, threshold=128)
    assert a.channel.learned.known(NOW) == {}
    learn_depth(a, "eth_getBalance", b'["0xA","earliest"]', NOW, consensus=None, threshold=128)
    assert a.channel.learned.known(NOW) == {"state": 1}


def test_state_is_what_calls_and_traces_need_and_neither_blocks_nor_logs() -> None:
    assert {"eth_call", "eth_getProof", "trace_block"} <= STATE
    assert not STATE & {"eth_getLogs", "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_feeHistory"}


async def test_who_lacks_old_state_is_asked_for_it_once_and_for_old_logs_as_ever(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(state_depth=5), "b": Faults()})
    tell_heads(it)
    for block in ("0x10", "0x10", "0x3"):
        assert "result" in await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","{block}"]')
    assert it.asked == {"a": 1, "b": 3}
    assert "result" in await it.ask("eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x11"}]')
    assert "result" in await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","latest"]')
    assert it.asked == {"a": 3, "b": 3}


async def test_nobody_is_shut_out_by_a_number_that_a_client_made_up(autojump_clock: Clock, world: Build) -> None:
    refusing = Failure(Kind.RPC, code=-32000, message="missing trie node")
    it = world({"a": Faults(failures=(refusing,)), "b": Faults()})
    tell_heads(it)
    await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","0xffffffff"]')
    assert all(candidate.channel.learned.known(trio.current_time()) == {} for candidate in it.routed.candidates)


def tell_heads(it: Any) -> None:
    for candidate in it.routed.candidates:
        candidate.head.tell(HEAD, trio.current_time(), 12.0)


async def test_when_nobody_has_the_state_everybody_is_asked_again(autojump_clock: Clock, world: Build) -> None:
    it = world(dict.fromkeys("ab", Faults(state_depth=5)))
    for _ in range(2):
        assert "missing trie node" in (await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","0x10"]'))["error"]["message"]
    assert it.asked == {"a": 2, "b": 2}

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio.testing

from lasso_trio.devnet import ACCOUNTS, Faults
from lasso_trio.routing.state_depth import STATE, learn_depth

Build = Callable[..., Any]
Clock = trio.testing.MockClock
NOW = 5.0


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
    ],
)
def test_only_a_call_for_the_state_of_a_numbered_block_tells_how_far_back_it_goes(
    chain_of: Build, method: str, params: str, known: dict[str, int]
) -> None:
    (a,) = chain_of("a").candidates
    learn_depth(a, method, params.encode(), NOW)
    assert a.channel.learned.known(NOW) == known


def test_state_is_what_calls_and_traces_need_and_neither_blocks_nor_logs() -> None:
    assert {"eth_call", "eth_getProof", "trace_block"} <= STATE
    assert not STATE & {"eth_getLogs", "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_feeHistory"}


async def test_who_lacks_old_state_is_asked_for_it_once_and_for_old_logs_as_ever(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(state_depth=5), "b": Faults()})
    for block in ("0x10", "0x10", "0x3"):
        assert "result" in await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","{block}"]')
    assert it.asked == {"a": 1, "b": 3}
    assert "result" in await it.ask("eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x11"}]')
    assert "result" in await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","latest"]')
    assert it.asked == {"a": 3, "b": 3}


async def test_when_nobody_has_the_state_everybody_is_asked_again(autojump_clock: Clock, world: Build) -> None:
    it = world(dict.fromkeys("ab", Faults(state_depth=5)))
    for _ in range(2):
        assert "missing trie node" in (await it.ask("eth_getBalance", f'["{ACCOUNTS[0]}","0x10"]'))["error"]["message"]
    assert it.asked == {"a": 2, "b": 2}

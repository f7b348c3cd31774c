from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.methods import known
from lasso_trio.routing.archival import ARCHIVAL, BLOCK_BOUND, LOGS, NOTHING, PLACES, BlockNeed, read

A = '"0x' + "11" * 20 + '"'
HASH = '"0x' + "ab" * 32 + '"'
BY_HASH = BlockNeed(unknown_age=True)


def need(method: str, params: str) -> BlockNeed:
    return read(method, params.encode())


@pytest.mark.parametrize(
    ("method", "params", "wanted"),
    [
        ("eth_call", '[{"to":"0x1"},"0x64"]', BlockNeed(100, 100)),
        ("eth_call", '[{"to":"0x1"},"latest"]', NOTHING),
        ("eth_call", '[{"to":"0x1"},"latest",{}]', NOTHING),
        ("eth_call", '[{"to":"0x1"}]', NOTHING),
        ("eth_call", '[{"to":"0x1"},null]', NOTHING),
        ("eth_call", '[{"to":"0x1"},"pending"]', NOTHING),
        ("eth_call", '[{"to":"0x1"},"safe"]', NOTHING),
        ("eth_call", '[{"to":"0x1"},"earliest"]', BlockNeed(0, 0)),
        ("eth_call", '[{"to":"0x1"},{"blockNumber":"0x64"}]', BlockNeed(100, 100)),
        ("eth_call", f'[{{"to":"0x1"}},{{"blockHash":{HASH},"requireCanonical":true}}]', BY_HASH),
        ("eth_call", f'[{{"to":"0x1"}},{HASH}]', BY_HASH),
        ("eth_getBalance", f'[{A},"0x64"]', BlockNeed(100, 100)),
        ("eth_getStorageAt", f'[{A},"0x0","0x64"]', BlockNeed(100, 100)),
        ("eth_simulateV1", '[{"blockStateCalls":[{"calls":[]}]},"0x64"]', BlockNeed(100, 100)),
        ("eth_simulateV1", '[{"blockStateCalls":[]}]', NOTHING),
        ("trace_callMany", '[[[{"to":"0x1"},["trace"]]],"0x64"]', BlockNeed(100, 100)),
        ("eth_getBlockByNumber", '["0x64",false]', BlockNeed(100, 100)),
        ("eth_getBlockByNumber", '["latest",false]', NOTHING),
        ("eth_getLogs", '[{"fromBlock":"0x64","toBlock":"0xc8"}]', BlockNeed(100, 200)),
        ("eth_getLogs", '[{"fromBlock":"0x64"}]', BlockNeed(100, 100)),
        ("eth_getLogs", '[{"toBlock":"latest"}]', NOTHING),
        ("eth_getLogs", "[{}]", NOTHING),
        ("eth_getLogs", f'[{{"blockHash":{HASH}}}]', BY_HASH),
    ],
)
def test_the_block_of_a_call_is_read(method: str, params: str, wanted: BlockNeed) -> None:
    assert need(method, params) == wanted


@pytest.mark.parametrize(
    "params", ["[]", "{}", "null", "[1,2", "[{},100]", '[{},"0xzz"]', '[{},"0x"]', '[{},"0x11111111111111111"]', "[[]]"]
)
@pytest.mark.parametrize("method", ["eth_call", "eth_getLogs", "eth_getBlockByNumber"])
def test_what_cannot_be_read_asks_for_nothing(method: str, params: str) -> None:
    assert need(method, params) == NOTHING


@pytest.mark.parametrize(
    ("wanted", "head", "archival"),
    [
        (BlockNeed(100, 100), 2000, True),
        (BlockNeed(1872, 1872), 2000, False),
        (BlockNeed(1871, 1990), 2000, True),
        (BlockNeed(100, 100), None, False),
        (BlockNeed(0, 0), None, True),
        (BY_HASH, 2000, True),
        (NOTHING, 2000, False),
        (BlockNeed(3000, 3000), 2000, False),
    ],
)
def test_old_state_is_what_lies_further_back_than_the_threshold(
    wanted: BlockNeed, head: int | None, archival: bool
) -> None:
    assert wanted.archival(head, 128) is archival


def test_every_method_with_a_block_parameter_is_known() -> None:
    assert all(known(method) is not None for method in BLOCK_BOUND)
    assert ARCHIVAL <= BLOCK_BOUND
    assert LOGS.isdisjoint(PLACES)


@given(st.sampled_from(sorted(BLOCK_BOUND)), st.binary(max_size=60))
def test_it_never_raises(method: str, params: bytes) -> None:
    read(method, params)


@given(st.integers(0, 2**64 - 1))
def test_every_number_is_read_as_it_is(number: int) -> None:
    assert need("eth_call", f'[{{}},"{number:#x}"]') == BlockNeed(number, number)

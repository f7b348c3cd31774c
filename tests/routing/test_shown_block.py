from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.routing.shown_block import is_tip, shown_block


def reply(result: str) -> Reply:
    return check(f'{{"jsonrpc":"2.0","id":1,"result":{result}}}'.encode(), 1)


@pytest.mark.parametrize(
    ("method", "params", "result", "height"),
    [
        ("eth_blockNumber", "[]", '"0x10"', 16),
        ("eth_getBlockByNumber", '["latest",false]', '{"number":"0x10","hash":"0x1"}', 16),
        ("eth_getBlockByNumber", '["0x10",false]', '{"transactions":[],"number":"0x10"}', 16),
        ("eth_getBlockByHash", '["0x00",false]', '{"number":"0x10"}', 16),
        ("eth_getTransactionReceipt", '["0x00"]', '{"blockNumber":"0x10","logs":[{"blockNumber":"0x11"}]}', 16),
        ("eth_getTransactionByHash", '["0x00"]', '{"blockNumber":"0x10"}', 16),
    ],
)
def test_answers_that_show_a_block(method: str, params: str, result: str, height: int) -> None:
    assert shown_block(method, params.encode(), reply(result)) == height


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("eth_gasPrice", "[]", '"0x10"'),
        ("eth_getBlockByNumber", '[ "pending",false]', '{"number":"0x10"}'),
        ("eth_getBlockByNumber", '["0x10",false]', "null"),
        ("eth_getTransactionByHash", '["0x00"]', '{"blockNumber":null}'),
        ("eth_getTransactionByHash", '["0x00"]', '{"blockNumber":16}'),
        ("eth_blockNumber", "[]", "16"),
        ("eth_blockNumber", "[]", '"16"'),
        ("eth_blockNumber", "[]", '"0x"'),
        ("eth_blockNumber", "[]", f'"0x1{"0" * 16}"'),
    ],
)
def test_answers_that_show_none(method: str, params: str, result: str) -> None:
    assert shown_block(method, params.encode(), reply(result)) is None


@pytest.mark.parametrize(
    ("method", "params", "tip"),
    [
        ("eth_blockNumber", b"[]", True),
        ("eth_getBlockByNumber", b'[ "latest", true]', True),
        ("eth_getBlockByNumber", b'["0x10",true]', False),
        ("eth_getBlockByNumber", b'["finalized",true]', False),
        ("eth_call", b'["latest"]', False),
    ],
)
def test_which_calls_ask_where_the_chain_is(method: str, params: bytes, tip: bool) -> None:
    assert is_tip(method, params) is tip

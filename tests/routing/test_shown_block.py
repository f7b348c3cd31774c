from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.routing.shown_block import asked_block, is_tip, shown_block, shows_block


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
        ("eth_getTransactionByBlockNumberAndIndex", '["latest","0x0"]', '{"blockNumber":"0x10"}', 16),
        ("eth_getTransactionByBlockHashAndIndex", '["0x00","0x0"]', '{"blockNumber":"0x10"}', 16),
        ("eth_getBlockReceipts", '["latest"]', '[{"blockNumber":"0x10"},{"blockNumber":"0x10"}]', 16),
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
        ("eth_getBlockReceipts", '["0x10"]', "null"),
        ("eth_getBlockReceipts", '["latest"]', "[]"),
        ("eth_getBlockReceipts", '["pending"]', '[{"blockNumber":"0x10"}]'),
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


@pytest.mark.parametrize(
    ("method", "params", "number"),
    [
        ("eth_getBlockByNumber", b'["0x3ec",true]', 1004),
        ("eth_getBlockByNumber", b'[ "0x3EC" , true]', 1004),
        ("eth_getBlockByNumber", b'["0x",true]', None),
        ("eth_getBlockByNumber", b'["0x' + b"1" * 17 + b'",true]', None),
        ("eth_getBlockByNumber", b'["latest",true]', None),
        ("eth_getBlockByNumber", b'["finalized",true]', None),
        ("eth_getBlockReceipts", b'["0x3ec"]', 1004),
        ("eth_getTransactionByBlockNumberAndIndex", b'["0x3ec","0x0"]', 1004),
        ("eth_getBlockByHash", b'["0x3ec",true]', None),
        ("eth_getLogs", b'["0x3ec"]', None),
    ],
)
def test_the_number_of_a_block_may_be_in_the_question(method: str, params: bytes, number: int | None) -> None:
    assert asked_block(method, params) == number


def test_a_height_is_never_large_and_other_answers_show_no_block() -> None:
    assert shows_block("eth_getBlockByHash")
    assert shows_block("eth_getBlockReceipts")
    assert not shows_block("eth_getLogs")

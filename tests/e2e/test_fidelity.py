"""What a client gets is what the node said, byte for byte, whatever the node said and whatever the client's id was.

The oracle is the node itself: the same request is sent to it directly with an id of 1, and to the proxy with the
client's. The table has results of every shape: scalars, null, empty lists, deep nesting, hundreds of kilobytes; and
errors of every kind that a real node raises.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from eth_typing import HexStr
from web3 import Web3

from tests.e2e.fleet import Fleet
from tests.e2e.history import MANY, NOTES, OWNER, History, call_data, signed
from tests.e2e.lasso import Lasso

IDS: Final = ("1", "0", "-1", "9223372036854775808", "1.5", "1e3", '"abc"', '"ü"', '"\\u00fc\\n"', '""', "null")
NOBODY: Final = Web3.to_checksum_address("0x" + "aa".zfill(40))
UNKNOWN_HASH: Final = HexStr("0x" + "ab" * 32)

Row = tuple[str, Sequence[Any]]


def rows(history: History) -> dict[str, Row]:
    """Name → method and params."""
    return dict(_scalars(history)) | dict(_structures(history)) | dict(_large(history)) | dict(_errors(history))


def _scalars(history: History) -> Iterator[tuple[str, Row]]:
    yield "block number", ("eth_blockNumber", [])
    yield "gas price", ("eth_gasPrice", [])
    yield "tip", ("eth_maxPriorityFeePerGas", [])
    yield "blob fee", ("eth_blobBaseFee", [])
    yield "version", ("web3_clientVersion", [])
    yield "hash of text", ("web3_sha3", ["0x68656c6c6f"])
    yield "boolean", ("net_listening", [])
    yield "not syncing", ("eth_syncing", [])
    yield "balance", ("eth_getBalance", [OWNER.address, "latest"])
    yield "old balance", ("eth_getBalance", [OWNER.address, hex(history.first)])
    yield "balance by tag", ("eth_getBalance", [OWNER.address, "earliest"])
    yield "nonce", ("eth_getTransactionCount", [OWNER.address, "latest"])
    yield "code", ("eth_getCode", [history.till, "latest"])
    yield "no code", ("eth_getCode", [NOBODY, "latest"])
    yield "storage", ("eth_getStorageAt", [history.till, "0x0", "latest"])
    yield "transactions in a block", ("eth_getBlockTransactionCountByNumber", [hex(history.first)])
    yield "call", ("eth_call", [{"to": history.till, "data": call_data("held")}, "latest"])
    yield "call of nobody", ("eth_call", [{"to": NOBODY, "data": "0x"}, "latest"])
    yield "gas estimate", ("eth_estimateGas", [{"to": history.till, "data": call_data("pay", "ü")}])


def _structures(history: History) -> Iterator[tuple[str, Row]]:
    yield "block", ("eth_getBlockByNumber", [hex(history.first), False])
    yield "block with transactions", ("eth_getBlockByNumber", [hex(history.last), True])
    yield "safe block", ("eth_getBlockByNumber", ["safe", False])
    yield "null block", ("eth_getBlockByNumber", ["0xffffff", False])
    yield "null block by hash", ("eth_getBlockByHash", [UNKNOWN_HASH, False])
    yield "transaction", ("eth_getTransactionByHash", [history.paid[3]])
    yield "null transaction", ("eth_getTransactionByHash", [UNKNOWN_HASH])
    yield "transaction by index", ("eth_getTransactionByBlockNumberAndIndex", [hex(history.first), "0x0"])
    yield "receipt", ("eth_getTransactionReceipt", [history.opened])
    yield "null receipt", ("eth_getTransactionReceipt", [UNKNOWN_HASH])
    yield "no uncle", ("eth_getUncleByBlockNumberAndIndex", [hex(history.first), "0x0"])
    yield "fee history", ("eth_feeHistory", ["0x5", "latest", [10, 50.5, 90]])
    yield "proof", ("eth_getProof", [history.till, ["0x" + "0" * 64], "latest"])
    yield "access list", ("eth_createAccessList", [{"to": history.till, "data": call_data("held")}, "latest"])
    yield "pool", ("txpool_content", [])
    yield "pool's size", ("txpool_status", [])
    yield "simulation", ("eth_simulateV1", [{"blockStateCalls": [{"calls": [{"to": history.till, "data": "0x"}]}]}])
    yield "parity trace", ("trace_transaction", [history.paid[0]])


def _large(history: History) -> Iterator[tuple[str, Row]]:
    block, span = hex(history.last), {"fromBlock": hex(history.first), "toBlock": hex(history.last)}
    yield "logs", ("eth_getLogs", [{**span, "address": history.till}])
    yield "logs by topic", ("eth_getLogs", [{**span, "topics": [None, "0x" + OWNER.address[2:].lower().zfill(64)]}])
    yield "no logs", ("eth_getLogs", [{**span, "address": NOBODY}])
    yield "range turned round", ("eth_getLogs", [{"fromBlock": hex(history.last), "toBlock": hex(history.first)}])
    yield "receipts of a block", ("eth_getBlockReceipts", [block])
    yield "call tree", ("debug_traceTransaction", [history.often, {"tracer": "callTracer"}])
    yield "steps", ("debug_traceTransaction", [history.often, {}])
    yield "long list", ("eth_call", [{"to": history.till, "data": call_data("list", 20_000)}, "latest"])


def _errors(history: History) -> Iterator[tuple[str, Row]]:
    yield "custom error", ("eth_call", [{"to": history.till, "data": call_data("take", 10**30)}, "latest"])
    yield "reason", ("eth_call", [{"to": history.till, "data": call_data("refuse", 'über "das" \\ Limit')}, "latest"])
    yield "revert without data", ("eth_call", [{"to": history.till, "data": "0xffffffff"}, "latest"])
    yield "revert in an estimate", ("eth_estimateGas", [{"to": history.till, "data": call_data("refuse", "no")}])
    yield "state of a future block", ("eth_getBalance", [OWNER.address, "0xffffff"])
    yield "params of a wrong type", ("eth_getBalance", [17, "latest"])
    yield "params that lack", ("eth_getBalance", [])
    yield "unknown method", ("eth_noSuchMethod", [])
    yield "no transaction at all", ("eth_sendRawTransaction", ["0x00"])
    yield "nonce too low", ("eth_sendRawTransaction", [signed(0, "0x", NOBODY)])


NAMES: Final = tuple(rows(History(NOBODY, UNKNOWN_HASH, (UNKNOWN_HASH,) * 5, UNKNOWN_HASH, 1, 2)))


def request(row: Row, id_: str) -> bytes:
    method, params = row
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{json.dumps(params)},"id":{id_}}}'.encode()


def with_id(body: bytes, id_: str) -> bytes:
    assert body.startswith(b'{"jsonrpc":"2.0","id":1,'), body[:80]
    return body.replace(b'"id":1', b'"id":' + id_.encode(), 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_the_nodes_answer(fleet: Fleet, history: History, lasso: Lasso, name: str) -> None:
    row = rows(history)[name]
    said = fleet.first.ask(request(row, "1"))
    for id_ in IDS:
        assert lasso.ask(request(row, id_)) == with_id(said, id_)


def test_the_table_has_every_shape(fleet: Fleet, history: History) -> None:
    """Else the rows above could all be one error, and nobody would notice."""
    said = {name: fleet.first.ask(request(row, "1")) for name, row in rows(history).items()}
    answers = {name: json.loads(body) for name, body in said.items()}
    failed = {name for name, answer in answers.items() if "error" in answer}
    assert failed == {name for name, _ in _errors(history)}
    results = [answer["result"] for name, answer in answers.items() if name not in failed]
    plain: list[Any] = [None, False, True, [], "0x"]
    assert all(value in results for value in plain)
    assert len(answers["logs"]["result"]) == MANY + len(NOTES)
    assert "data" in answers["custom error"]["error"]
    assert len(said["long list"]) > 1_000_000
    assert len(said["steps"]) > 500_000


def test_a_request_without_params_is_answered_too(fleet: Fleet, lasso: Lasso) -> None:
    body = b'{"id":7,"jsonrpc":"2.0","method":"eth_blockNumber"}'
    assert lasso.ask(body) == fleet.first.ask(body)


def test_a_batch_holds_the_nodes_answers_in_order(fleet: Fleet, history: History, lasso: Lasso) -> None:
    table = rows(history)
    asked = [request(row, str(n)) for n, row in enumerate(table.values())][:50]
    said = [with_id(fleet.first.ask(request(row, "1")), str(n)) for n, row in enumerate(table.values())][:50]
    assert lasso.ask(b"[" + b",".join(asked) + b"]") == b"[" + b",".join(said) + b"]"

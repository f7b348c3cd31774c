from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.methods import (
    CATEGORIES,
    DISALLOWED,
    WEBSOCKET_ONLY,
    Method,
    Safety,
    all_known,
    known,
    lookup,
)

REPLAY_SAFE_CATEGORIES = {
    "core", "state", "network", "node_admin", "eip1559", "eip4844", "batch", "debug", "trace", "txpool",
}  # fmt: skip
SIZES = {
    "core": 17, "state": 7, "network": 4, "node_admin": 3, "eip1559": 2, "eip4844": 1, "mempool": 1, "filters": 7,
    "subscriptions": 2, "batch": 1, "debug": 8, "trace": 9, "local_only": 10, "txpool": 3,
}  # fmt: skip
BUDGETS = {
    1.0: "eth_blockNumber eth_chainId net_version web3_clientVersion",
    2.0: """eth_gasPrice eth_getBalance eth_getTransactionCount eth_getCode eth_getTransactionByHash
        eth_getBlockByNumber eth_getBlockByHash eth_newFilter""",
    3.0: "eth_getTransactionReceipt",
    5.0: "eth_call eth_estimateGas eth_getLogs eth_getFilterLogs",
    10.0: "eth_getProof eth_sendRawTransaction eth_feeHistory trace_block made_up_by_a_client",
    30.0: "debug_traceTransaction",
    45.0: "debug_traceBlockByNumber debug_traceBlockByHash",
}


def method(name: str) -> Method:
    return lookup(name, f'"{name}"'.encode())


def test_the_table_has_every_method_of_every_category_once() -> None:
    sizes = {category: sum(m.category == category for m in all_known()) for category in CATEGORIES - {"unknown"}}
    assert sizes == SIZES
    assert len({m.name for m in all_known()}) == len(all_known())


@pytest.mark.parametrize("it", all_known(), ids=lambda m: m.name)
def test_only_reads_may_be_sent_twice(it: Method) -> None:
    assert it.replay_safe == (it.category in REPLAY_SAFE_CATEGORIES or it.name == "eth_getLogs")
    assert it.replay_safe == (it.safety is Safety.REPLAY_SAFE)
    assert (it.raw, it.row) == (f'"{it.name}"'.encode(), it.name)
    assert known(it.name) is it


@pytest.mark.parametrize(
    ("name", "safety"),
    [
        ("eth_sendRawTransaction", Safety.RAW_TRANSACTION_BROADCAST),
        ("eth_sendTransaction", Safety.UPSTREAM_SIGNED),
        ("personal_sign", Safety.UPSTREAM_SIGNED),
        ("eth_newFilter", Safety.FILTER_CREATE),
        ("eth_getFilterChanges", Safety.FILTER_AFFINE),
        ("eth_subscribe", Safety.SUBSCRIPTION),
        ("eth_coinbase", Safety.UNKNOWN),
        ("made_up_by_a_client", Safety.UNKNOWN),
    ],
)
def test_everything_else_says_why_not(name: str, safety: Safety) -> None:
    assert method(name).safety is safety
    assert not method(name).replay_safe


@pytest.mark.parametrize(("seconds", "name"), [(s, name) for s, names in BUDGETS.items() for name in names.split()])
def test_budgets(seconds: float, name: str) -> None:
    assert method(name).timeout_s == seconds


def test_what_needs_a_nodes_keys_or_a_websocket_is_listed() -> None:
    assert sorted(DISALLOWED) == [
        "eth_accounts",
        "eth_sendTransaction",
        "eth_sign",
        "eth_signTransaction",
        "personal_sign",
    ]
    assert sorted(WEBSOCKET_ONLY) == ["eth_subscribe", "eth_unsubscribe"]


def test_large_answers_are_expected_of_logs_and_blocks_and_not_of_balances() -> None:
    assert method("eth_getLogs").bulky
    assert method("debug_traceCall").bulky
    assert not method("eth_getBalance").bulky


def test_an_unknown_method_is_remembered_but_not_without_end() -> None:
    assert method("mine_first").row == "mine_first"
    assert method("mine_first") is method("mine_first")
    assert known("mine_first") is None
    for i in range(2000):
        method(f"mine_{i}")
    late = method("mine_too_late")
    assert (late.name, late.row, late.raw, late.replay_safe) == ("mine_too_late", "other", b'"mine_too_late"', False)
    assert method("mine_first").row == "mine_first"


def test_an_endless_name_has_no_row_of_its_own() -> None:
    assert method("x" * 129).row == "other"

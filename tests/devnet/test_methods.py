from __future__ import annotations

import pytest

from lasso_trio.devnet.blocks import ACCOUNTS, REVERTER, TOKENS
from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.methods import METHODS, Site

CHAIN = Chain(start_height=100, block_time=None)
SITE = Site(CHAIN.view(0.0))


def ask(method: str, *params: Json) -> Json:
    return METHODS[method](SITE, list(params))


HEAD = ask("eth_getBlockByNumber", "latest", True)
FIRST = HEAD["transactions"][0]


def test_identity_and_head() -> None:
    assert ask("eth_blockNumber") == "0x64"
    assert ask("eth_chainId") == "0x7a69"
    assert ask("net_version") == "31337"
    assert ask("eth_syncing") is False
    assert ask("net_listening") is True


def test_a_block_is_the_same_by_number_and_by_hash() -> None:
    assert ask("eth_getBlockByHash", HEAD["hash"], True) == HEAD
    assert ask("eth_getBlockByNumber", "0x64", True) == HEAD
    assert ask("eth_getBlockByNumber", "0x64", False)["transactions"] == [t["hash"] for t in HEAD["transactions"]]


def test_what_does_not_exist_is_null() -> None:
    nothing = "0x" + "00" * 32
    assert ask("eth_getBlockByNumber", "0x65", False) is None
    assert ask("eth_getBlockByHash", nothing, False) is None
    assert ask("eth_getTransactionByHash", nothing) is None
    assert ask("eth_getTransactionReceipt", nothing) is None
    assert ask("eth_getBlockReceipts", "0x65") is None
    assert ask("eth_getTransactionByBlockNumberAndIndex", "0x64", "0x99") is None


def test_the_pending_block_stands_on_the_head_and_has_no_hash() -> None:
    pending = ask("eth_getBlockByNumber", "pending", False)
    assert (pending["number"], pending["hash"], pending["parentHash"]) == ("0x65", None, HEAD["hash"])


def test_a_transaction_and_its_receipt_are_found_by_hash_and_by_place() -> None:
    assert ask("eth_getTransactionByHash", FIRST["hash"]) == FIRST
    assert ask("eth_getTransactionByBlockNumberAndIndex", "latest", "0x0") == FIRST
    assert ask("eth_getTransactionByBlockHashAndIndex", HEAD["hash"], "0x0") == FIRST
    receipt = ask("eth_getTransactionReceipt", FIRST["hash"])
    assert receipt["logs"] == ask("eth_getLogs", {"blockHash": HEAD["hash"]})[:1]
    assert ask("eth_getBlockReceipts", "latest")[0] == ask("eth_getBlockReceipts", HEAD["hash"])[0] == receipt


def test_a_transaction_of_an_orphaned_block_is_gone() -> None:
    chain = Chain(start_height=100, block_time=None)
    hash_ = METHODS["eth_getBlockByNumber"](Site(chain.view(0.0)), ["latest"])["transactions"][0]
    chain.reorg(1, 0.0)
    assert METHODS["eth_getTransactionByHash"](Site(chain.view(0.0)), [hash_]) is None


def test_counts() -> None:
    assert ask("eth_getBlockTransactionCountByNumber", "latest") == hex(len(HEAD["transactions"]))
    assert ask("eth_getBlockTransactionCountByHash", HEAD["hash"]) == hex(len(HEAD["transactions"]))
    assert ask("eth_getUncleCountByBlockNumber", "latest") == "0x0"


def test_state_reads_are_pinned_to_their_block() -> None:
    assert ask("eth_getBalance", ACCOUNTS[0], "latest") == ask("eth_getBalance", ACCOUNTS[0], "0x64")
    assert ask("eth_getBalance", ACCOUNTS[0], "latest") != ask("eth_getBalance", ACCOUNTS[0], "0x63")
    assert ask("eth_getTransactionCount", ACCOUNTS[0], "0x5") == "0x5"
    assert ask("eth_getTransactionCount", TOKENS[0], "latest") == "0x0"
    assert ask("eth_getCode", TOKENS[0], "latest") != "0x"
    assert len(ask("eth_getStorageAt", TOKENS[0], "0x0", "latest")) == 66


def test_pruned_state_is_missing() -> None:
    pruned = Site(CHAIN.view(0.0), state_depth=10)
    with pytest.raises(NodeError, match="missing trie node"):
        METHODS["eth_getBalance"](pruned, [ACCOUNTS[0], hex(89)])
    assert METHODS["eth_getBalance"](pruned, [ACCOUNTS[0], hex(90)])


def test_a_call_takes_input_or_data_and_reverts_where_it_must() -> None:
    assert ask("eth_call", {"to": TOKENS[0], "data": "0x313ce567"}) == "0x" + f"{18:064x}"
    assert ask("eth_call", {"to": TOKENS[0], "input": "0x313ce567"}, "latest") == "0x" + f"{18:064x}"
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(NodeError, match="execution reverted"):
            ask(method, {"to": REVERTER})


def test_gas_is_estimated_by_whether_code_runs() -> None:
    assert ask("eth_estimateGas", {"to": ACCOUNTS[0]}) == hex(21_000)
    assert ask("eth_estimateGas", {"to": TOKENS[0]}) == hex(51_000)
    assert ask("eth_createAccessList", {"to": TOKENS[0]}) == {"accessList": [], "gasUsed": hex(51_000)}


def test_fee_history_has_one_base_fee_more_than_blocks() -> None:
    history = ask("eth_feeHistory", "0x4", "latest", [10, 90])
    assert history["oldestBlock"] == hex(97)
    assert [len(history[key]) for key in ("baseFeePerGas", "gasUsedRatio", "reward")] == [5, 4, 4]
    assert "reward" not in ask("eth_feeHistory", 4, "latest")
    assert int(ask("eth_gasPrice"), 16) > int(ask("eth_maxPriorityFeePerGas"), 16)


def test_a_blob_has_the_size_that_is_asked_for() -> None:
    assert len(ask("devnet_blob", 1000)) == 1000
    with pytest.raises(NodeError, match="at most"):
        ask("devnet_blob", 10**12)

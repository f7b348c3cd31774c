from __future__ import annotations

import attrs
import pytest

from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.methods import METHODS, Site
from lasso_trio.devnet.node import MOST_FILTERS, Node


@attrs.define
class Bench:
    """A node and the chain it follows."""

    chain: Chain = attrs.field(factory=lambda: Chain(start_height=50, block_time=None))
    node: Node = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.node = Node(self.chain)

    def ask(self, method: str, *params: Json) -> Json:
        return self.node.answer(method, list(params), Site(self.chain.view(0.0)))


def test_an_unknown_method_is_refused_as_geth_does() -> None:
    with pytest.raises(NodeError, match="the method foo_bar does not exist/is not available") as refused:
        Bench().ask("foo_bar")
    assert refused.value.code == -32601


def test_parameters_by_name_are_refused_and_none_are_fine() -> None:
    bench = Bench()
    site = Site(bench.chain.view(0.0))
    assert bench.node.answer("eth_blockNumber", None, site) == "0x32"
    with pytest.raises(NodeError, match="non-array args"):
        bench.node.answer("eth_blockNumber", {"a": 1}, site)


def test_a_mistake_in_a_method_becomes_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "broken", lambda _, params: params[7])
    with pytest.raises(NodeError, match="internal error") as refused:
        Bench().ask("broken")
    assert refused.value.code == -32603


def test_a_raw_transaction_is_known_when_it_is_sent_again_to_any_node_of_the_chain() -> None:
    bench = Bench()
    hash_ = bench.ask("eth_sendRawTransaction", "0x02abcd")
    assert len(hash_) == 66
    with pytest.raises(NodeError, match="already known") as refused:
        Bench(bench.chain).ask("eth_sendRawTransaction", "0x02ABCD")
    assert refused.value.code == -32000


def test_a_raw_transaction_is_found_by_its_true_hash_and_never_mined() -> None:
    bench = Bench()
    keccak = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"  # of nothing
    assert bench.ask("eth_getTransactionByHash", keccak) is None
    hash_ = bench.ask("eth_sendRawTransaction", "0xc0")
    assert hash_ == "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"  # of an empty list
    assert bench.ask("eth_getTransactionByHash", hash_) == {
        "hash": hash_, "blockHash": None, "blockNumber": None, "transactionIndex": None
    }  # fmt: skip


def test_a_block_filter_tells_new_hashes_once() -> None:
    bench = Bench()
    id_ = bench.ask("eth_newBlockFilter")
    bench.chain.advance(2)
    expected = [bench.ask("eth_getBlockByNumber", hex(n))["hash"] for n in (51, 52)]
    assert bench.ask("eth_getFilterChanges", id_) == expected
    assert bench.ask("eth_getFilterChanges", id_) == []


def test_a_log_filter_tells_new_logs_and_all_logs() -> None:
    bench = Bench()
    id_ = bench.ask("eth_newFilter", {"fromBlock": "0x30"})
    bench.chain.advance(1)
    assert bench.ask("eth_getFilterChanges", id_) == bench.ask("eth_getLogs", {})
    assert bench.ask("eth_getFilterLogs", id_) == bench.ask("eth_getLogs", {"fromBlock": "0x30"})


def test_a_filter_that_is_gone_is_not_found() -> None:
    bench = Bench()
    id_ = bench.ask("eth_newPendingTransactionFilter")
    assert bench.ask("eth_getFilterChanges", id_) == []
    assert bench.ask("eth_uninstallFilter", id_) is True
    assert bench.ask("eth_uninstallFilter", id_) is False
    with pytest.raises(NodeError, match="filter not found"):
        bench.ask("eth_getFilterChanges", id_)


def test_the_oldest_filter_goes_when_there_are_too_many() -> None:
    bench = Bench()
    first, second = bench.ask("eth_newBlockFilter"), bench.ask("eth_newBlockFilter")
    for _ in range(MOST_FILTERS - 1):
        bench.ask("eth_newBlockFilter")
    with pytest.raises(NodeError, match="filter not found"):
        bench.ask("eth_getFilterChanges", first)
    assert bench.ask("eth_getFilterChanges", second) == []

"""The driver itself: do several real nodes serve one chain, and do they come back from death, pause and delay?"""

from __future__ import annotations

from tests.e2e.conftest import Lived
from tests.e2e.fleet import Fleet
from tests.e2e.history import OWNER, History, call_data, signed


def test_nodes_that_take_the_same_steps_have_the_same_blocks_byte_for_byte(fleet: Fleet, history: History) -> None:
    for height in range(int(fleet.first.call("eth_blockNumber"), 16) + 1):
        ask = f'{{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["{height:#x}",true]}}'
        assert len({node.ask(ask) for node in fleet.nodes}) == 1


def test_a_killed_node_comes_back_with_the_chain_it_has_missed(fresh: Lived) -> None:
    fleet, node = fresh.fleet, fresh.fleet.nodes[1]
    node.kill()
    fleet.mine(2)
    fleet.restart(node)
    assert len(fleet.heads()) == 3
    assert len(set(fleet.heads().values())) == 1


def test_a_paused_node_catches_up(fresh: Lived) -> None:
    fleet, node = fresh.fleet, fresh.fleet.nodes[2]
    node.pause()
    fleet.mine(2)
    fleet.resume(node)
    assert len(set(fleet.heads().values())) == 1


def test_a_transaction_that_one_node_was_given_is_mined_by_all(fresh: Lived) -> None:
    fleet = fresh.fleet
    nonce = int(fleet.first.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    raw = signed(nonce, call_data("pay", "to one only"), fresh.history.till)
    hash_ = fleet.nodes[2].call("eth_sendRawTransaction", raw)
    fleet.mine()
    assert [node.call("eth_getTransactionReceipt", hash_)["status"] for node in fleet.nodes] == ["0x1"] * 3

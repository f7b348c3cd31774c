"""web3.py through the proxy: what it reads is what it reads from a node, and what it writes is mined.

Every reading is taken twice, through the proxy and from a node, and compared after web3.py has decoded it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import requests
from eth_typing import HexStr
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, ContractCustomError, ContractLogicError, TransactionNotFound
from web3.types import RPCError

from tests.e2e import till
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.fleet import Fleet
from tests.e2e.history import MANY, NOTES, OWNER, History
from tests.e2e.lasso import Lasso

NOBODY: Final = Web3.to_checksum_address("0x" + "aa".zfill(40))

Client = Callable[[str], Web3]


@pytest.fixture
def client() -> Iterator[Client]:
    """web3.py on a URL, over one kept connection."""
    sessions: list[requests.Session] = []

    def connect(url: str) -> Web3:
        sessions.append(requests.Session())
        return Web3(HTTPProvider(url, session=sessions[-1], exception_retry_configuration=None))

    yield connect
    for session in sessions:
        session.close()


@pytest.fixture
def through(client: Client, lasso: Lasso) -> Web3:
    return client(lasso.url)


@pytest.fixture
def direct(client: Client, fleet: Fleet, history: History) -> Web3:
    return client(fleet.first.url)


READINGS: Final[dict[str, Callable[[Web3, History], Any]]] = {
    "chain id": lambda w3, _: w3.eth.chain_id,
    "network": lambda w3, _: w3.net.version,
    "client": lambda w3, _: w3.client_version,
    "block number": lambda w3, _: w3.eth.block_number,
    "block": lambda w3, h: w3.eth.get_block(h.last, full_transactions=True),
    "latest block": lambda w3, _: w3.eth.get_block("latest"),
    "finalized block": lambda w3, _: w3.eth.get_block("finalized"),
    "transaction": lambda w3, h: w3.eth.get_transaction(h.paid[1]),
    "receipt": lambda w3, h: w3.eth.get_transaction_receipt(h.often),
    "balance": lambda w3, _: w3.eth.get_balance(OWNER.address),
    "old balance": lambda w3, h: w3.eth.get_balance(OWNER.address, h.first),
    "nonce": lambda w3, _: w3.eth.get_transaction_count(OWNER.address),
    "code": lambda w3, h: w3.eth.get_code(h.till),
    "storage": lambda w3, h: w3.eth.get_storage_at(h.till, 0),
    "gas price": lambda w3, _: w3.eth.gas_price,
    "fee history": lambda w3, _: w3.eth.fee_history(3, "latest", [25.0, 75.0]),
    "logs": lambda w3, h: w3.eth.get_logs({"address": h.till, "fromBlock": h.first, "toBlock": h.last}),
    "call": lambda w3, h: opened(w3, h).functions.held().call(),
    "old call": lambda w3, h: opened(w3, h).functions.held().call(block_identifier=h.first),
    "list": lambda w3, h: opened(w3, h).functions.list(500).call(),
    "gas estimate": lambda w3, h: opened(w3, h).functions.pay("estimate").estimate_gas({"from": OWNER.address}),
    "events": lambda w3, h: opened(w3, h).events.Paid().get_logs(from_block=h.first, to_block=h.last),
}


def opened(w3: Web3, history: History) -> Any:
    """The till that the history opened."""
    return w3.eth.contract(address=history.till, abi=till.ABI)


@pytest.mark.parametrize("name", READINGS)
def test_it_reads_what_it_reads_from_a_node(through: Web3, direct: Web3, history: History, name: str) -> None:
    assert READINGS[name](through, history) == READINGS[name](direct, history)


def test_the_chain_is_the_fleets(through: Web3) -> None:
    assert through.eth.chain_id == CHAIN_ID


def test_events_are_decoded(through: Web3, history: History) -> None:
    events = opened(through, history).events.Paid().get_logs(from_block=history.first, to_block=history.last)
    assert tuple(event.args.note for event in events[: len(NOTES)]) == NOTES
    assert [event.args.number for event in events[len(NOTES) :]] == list(range(1, MANY + 1))


def test_a_custom_error_arrives_with_its_data(through: Web3, direct: Web3, history: History) -> None:
    def refusal(w3: Web3) -> ContractCustomError:
        with pytest.raises(ContractCustomError) as refused:
            opened(w3, history).functions.take(10**30).call()
        return refused.value

    assert refusal(through).data == refusal(direct).data
    selector = Web3.keccak(text="Short(uint256,uint256)").to_0x_hex()[:10]
    assert str(refusal(through).data).startswith(selector)


@pytest.mark.parametrize("why", ["no", "über das Limit ☃", ""])
def test_a_reason_arrives_as_it_was_given(through: Web3, history: History, why: str) -> None:
    with pytest.raises(ContractLogicError) as refused:
        opened(through, history).functions.refuse(why).call()
    assert why in str(refused.value)


def test_what_is_not_there_is_not_found(through: Web3) -> None:
    with pytest.raises(BlockNotFound):
        through.eth.get_block(2**31)
    with pytest.raises(TransactionNotFound):
        through.eth.get_transaction_receipt(HexStr("0x" + "cd" * 32))
    assert through.eth.get_code(NOBODY) == b""


def test_a_batch_is_answered_in_order(through: Web3, direct: Web3, history: History) -> None:
    def readings(w3: Web3) -> list[Any]:
        with w3.batch_requests() as batch:
            for height in range(history.last):
                batch.add(w3.eth.get_block(height))
            batch.add(opened(w3, history).functions.held())
            return batch.execute()

    found = readings(through)
    assert found == readings(direct)
    assert [block["number"] for block in found[:-1]] == list(range(history.last))


def test_an_error_in_a_batch_is_that_calls_alone(through: Web3, history: History) -> None:
    with through.batch_requests() as batch:
        batch.add(through.eth.get_block("latest"))
        batch.add(opened(through, history).functions.refuse("batched"))
        with pytest.raises(ContractLogicError, match="batched"):
            batch.execute()


def test_the_nodes_error_object_is_what_a_client_sees(through: Web3, direct: Web3) -> None:
    def error(w3: Web3) -> RPCError | None:
        return w3.provider.make_request("eth_getBalance", [OWNER.address, "0xffffff"])["error"]  # type: ignore[arg-type]

    assert error(through) == error(direct)


def test_a_contract_is_deployed_and_paid_and_its_event_read(through: Web3, fleet: Fleet) -> None:
    deployed = sent(through, fleet, through.eth.contract(abi=till.ABI, bytecode=till.BYTECODE).constructor(7))
    contract = through.eth.contract(address=deployed["contractAddress"], abi=till.ABI)
    assert contract.functions.held().call() == 7
    paid = sent(through, fleet, contract.functions.pay("durch den Proxy ☃"), value=5)
    (event,) = contract.events.Paid().process_receipt(paid)
    assert event.args == {"payer": OWNER.address, "number": 12, "note": "durch den Proxy ☃"}
    assert contract.functions.held().call() == 12


def sent(w3: Web3, fleet: Fleet, call: Any, value: int = 0) -> Any:
    """Sign `call`, send it through the proxy, mine it; the receipt, which every node has."""
    nonce = w3.eth.get_transaction_count(OWNER.address)
    raw = OWNER.sign_transaction(call.build_transaction({"from": OWNER.address, "nonce": nonce, "value": value}))
    hash_ = w3.eth.send_raw_transaction(raw.raw_transaction)
    fleet.mine()
    assert all(node.call("eth_getTransactionReceipt", hash_.to_0x_hex())["status"] == "0x1" for node in fleet.nodes)
    return w3.eth.wait_for_transaction_receipt(hash_, timeout=60)


@pytest.mark.parametrize("strategy", ["fastest", "load-balanced", "latency-weighted", "priority"])
def test_every_strategy_serves_it(client: Client, lasso: Lasso, direct: Web3, history: History, strategy: str) -> None:
    w3 = client(f"http://127.0.0.1:{lasso.port}{lasso.path(strategy)}")
    assert [w3.eth.get_block(history.last)["hash"] for _ in range(6)] == [
        direct.eth.get_block(history.last)["hash"]
    ] * 6

"""What happened on the chain before a test begins: a till was opened, paid into often, and time went by.

Everything is deterministic: keys, nonces, fees, timestamps. So hashes are the same in every run.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from web3 import Web3

from tests.e2e import till
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.fleet import Fleet

OWNER: Final[LocalAccount] = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The first of the accounts that every anvil funds; its key is public."""
NOTES: Final = ("first", "zweite Zahlung: 5 €", "", "\u2603" * 40, 'quo"ted\\')
MANY: Final = 60
"""Events of one transaction: enough for a long answer to eth_getLogs."""

_contract: Final = Web3().eth.contract(abi=till.ABI, bytecode=till.BYTECODE)


@attrs.frozen
class History:
    """`till`: the contract's address. Hashes are of transactions. `first`, `last`: where events begin and end."""

    till: ChecksumAddress
    opened: HexStr
    paid: tuple[HexStr, ...]
    often: HexStr
    first: int
    last: int


def signed(nonce: int, data: str, to: str | None = None, value: int = 0) -> HexStr:
    """A raw transaction of OWNER's."""
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "gas": 3_000_000}
    fields: dict[str, Any] = {"chainId": CHAIN_ID, "nonce": nonce, "data": data, "value": value, "type": 2} | fees
    if to is not None:
        fields["to"] = Web3.to_checksum_address(to)
    return Web3.to_hex(OWNER.sign_transaction(fields).raw_transaction)


def call_data(function: str, *arguments: str | int) -> str:
    """ABI-encoded input of a call of the till's `function`."""
    return str(_contract.encode_abi(function, args=arguments))


def live_through(fleet: Fleet) -> History:
    """Make the history on fresh nodes."""
    fleet.mine(3)
    opened = fleet.send(signed(0, str(_contract.constructor(1_000).data_in_transaction)))
    fleet.mine()
    address = fleet.first.call("eth_getTransactionReceipt", opened)["contractAddress"]
    paid = tuple(_pay(fleet, nonce, note, address) for nonce, note in enumerate(NOTES, start=1))
    often = fleet.send(signed(len(NOTES) + 1, call_data("payOften", MANY, "again and again"), address))
    fleet.mine()
    last = int(fleet.first.call("eth_blockNumber"), 16)
    fleet.mine(4)
    return History(Web3.to_checksum_address(address), opened, paid, often, last - len(NOTES), last)


def _pay(fleet: Fleet, nonce: int, note: str, address: str) -> HexStr:
    hash_ = fleet.send(signed(nonce, call_data("pay", note), address, value=nonce * 10**15))
    fleet.mine()
    return hash_

"""Blocks, transactions, logs and receipts as a node spells them, computed from nothing but a `Seed`.

The invariant that keeps a devnet of any age small: nothing is stored. Whatever a block holds follows from its seed,
and its number (with the index of a transaction) is folded into the last eight bytes of every hash, so a hash is looked
up by unfolding it and building the block again. The objects are shared by a small cache: never change one in place.

Hashes look like keccak but are not; `logsBloom` is all ones, which truthfully says "may hold anything".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Final

import attrs

from lasso_trio.devnet.json_types import JsonObject

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""Topic 0 of ERC-20's `Transfer(address,address,uint256)`."""
ZERO_HASH: Final = "0x" + "00" * 32
GAS_LIMIT: Final = 30_000_000
TIP: Final = 1_500_000_000
_FULL_BLOOM: Final = "0x" + "ff" * 256
_NO_UNCLES: Final = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_TRANSFER_GAS: Final = 51_000
_PLAIN_GAS: Final = 21_000


def digest(*parts: object) -> bytes:
    return sha256("/".join(map(str, parts)).encode()).digest()


def address(name: object) -> str:
    """The 20-byte address that belongs to `name`: stable for ever."""
    return "0x" + digest("address", name)[:20].hex()


ACCOUNTS: Final = tuple(address(f"account {i}") for i in range(8))
"""Who sends and receives in every block."""
TOKENS: Final = tuple(address(f"token {i}") for i in range(3))
"""The ERC-20-like contracts that log `Transfer`."""
REVERTER: Final = address("reverter")
"""A contract that reverts every call, with a reason."""


def word(value: int | str) -> str:
    """A 32-byte ABI word, without `0x`, of a number or an address."""
    return f"{value:064x}" if isinstance(value, int) else value[2:].rjust(64, "0")


@attrs.frozen
class Seed:
    """Everything a block follows from. `timestamp` is Unix seconds."""

    chain_id: int
    number: int
    salt: str
    parent_salt: str
    timestamp: int


@attrs.frozen
class Block:
    """`header` is what `newHeads` sends. `receipts` hold the logs, in order."""

    number: int
    hash: str
    header: JsonObject
    transactions: tuple[JsonObject, ...]
    receipts: tuple[JsonObject, ...]

    def logs(self) -> Iterator[JsonObject]:
        for receipt in self.receipts:
            yield from receipt["logs"]

    def to_json(self, *, full: bool) -> JsonObject:
        """The whole block; `full`: transactions as objects instead of hashes."""
        transactions = list(self.transactions) if full else [t["hash"] for t in self.transactions]
        size = hex(600 + 120 * len(transactions))
        return {**self.header, "size": size, "transactions": transactions, "uncles": [], "withdrawals": []}


def block_hash(chain_id: int, number: int, salt: str) -> str:
    return _fold(digest("block", chain_id, salt, number), number << 12)


def place_of(hash_: str) -> tuple[int, int]:
    """The block number and transaction index in a hash. Of a foreign one: nonsense, to be checked by rebuilding."""
    raw = bytes.fromhex(hash_[2:])
    place = int.from_bytes(raw[24:], "big") ^ _mask(raw[:24])
    return place >> 12, place & 0xFFF


def base_fee(number: int) -> int:
    return 1_000_000_000 + number % 100 * 1_000_000


@lru_cache(maxsize=1024)
def build(seed: Seed) -> Block:
    hash_ = block_hash(seed.chain_id, seed.number, seed.salt)
    draw = digest("draw", hash_)
    transactions = tuple(_transaction(seed, hash_, index) for index in range(1 + draw[0] % 4 if seed.number else 0))
    receipts = tuple(_receipts(seed, transactions))
    return Block(seed.number, hash_, _header(seed, hash_, draw, receipts), transactions, receipts)


def _fold(noise: bytes, place: int) -> str:
    return "0x" + noise[:24].hex() + (place ^ _mask(noise[:24])).to_bytes(8, "big").hex()


def _mask(noise: bytes) -> int:
    return int.from_bytes(sha256(noise).digest()[:8], "big")


def _header(seed: Seed, hash_: str, draw: bytes, receipts: tuple[JsonObject, ...]) -> JsonObject:
    parent = block_hash(seed.chain_id, seed.number - 1, seed.parent_salt) if seed.number else ZERO_HASH
    return {
        "number": hex(seed.number),
        "hash": hash_,
        "parentHash": parent,
        "nonce": "0x0000000000000000",
        "sha3Uncles": _NO_UNCLES,
        "logsBloom": _FULL_BLOOM,
        "transactionsRoot": "0x" + digest("transactions", hash_).hex(),
        "stateRoot": "0x" + digest("state", hash_).hex(),
        "receiptsRoot": "0x" + digest("receipts", hash_).hex(),
        "miner": ACCOUNTS[draw[1] % len(ACCOUNTS)],
        "difficulty": "0x0",
        "extraData": "0x" + b"devnet".hex(),
        "gasLimit": hex(GAS_LIMIT),
        "gasUsed": receipts[-1]["cumulativeGasUsed"] if receipts else "0x0",
        "timestamp": hex(seed.timestamp),
        "baseFeePerGas": hex(base_fee(seed.number)),
        "mixHash": "0x" + digest("mix", hash_).hex(),
        "withdrawalsRoot": "0x" + digest("withdrawals").hex(),
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x" + digest("beacon", hash_).hex(),
    }


def _transaction(seed: Seed, hash_: str, index: int) -> JsonObject:
    """Even ones move a token (and log it), odd ones move ether."""
    noise = digest("transaction", hash_, index)
    moves_token = index % 2 == 0
    receiver = ACCOUNTS[noise[1] % len(ACCOUNTS)]
    amount = int.from_bytes(noise[2:8], "big")
    call = "0xa9059cbb" + word(receiver) + word(amount)
    return {
        "blockHash": hash_,
        "blockNumber": hex(seed.number),
        "from": ACCOUNTS[noise[0] % len(ACCOUNTS)],
        "gas": hex(_TRANSFER_GAS if moves_token else _PLAIN_GAS),
        "gasPrice": hex(base_fee(seed.number) + TIP),
        "maxFeePerGas": hex(2 * base_fee(seed.number) + TIP),
        "maxPriorityFeePerGas": hex(TIP),
        "hash": _fold(noise, seed.number << 12 | index),
        "input": call if moves_token else "0x",
        "nonce": hex(seed.number),
        "to": TOKENS[noise[8] % len(TOKENS)] if moves_token else receiver,
        "transactionIndex": hex(index),
        "value": "0x0" if moves_token else hex(amount),
        "type": "0x2",
        "accessList": [],
        "chainId": hex(seed.chain_id),
        "v": "0x0",
        "yParity": "0x0",
        "r": "0x" + digest("r", noise.hex()).hex(),
        "s": "0x" + digest("s", noise.hex()).hex(),
    }


def _receipts(seed: Seed, transactions: tuple[JsonObject, ...]) -> Iterator[JsonObject]:
    gas_so_far, log_index = 0, 0
    for transaction in transactions:
        logs = [] if transaction["input"] == "0x" else [_transfer_log(seed, transaction, log_index)]
        gas_so_far += int(transaction["gas"], 16)
        log_index += len(logs)
        yield {
            "transactionHash": transaction["hash"],
            "transactionIndex": transaction["transactionIndex"],
            "blockHash": transaction["blockHash"],
            "blockNumber": transaction["blockNumber"],
            "from": transaction["from"],
            "to": transaction["to"],
            "cumulativeGasUsed": hex(gas_so_far),
            "gasUsed": transaction["gas"],
            "contractAddress": None,
            "logs": logs,
            "logsBloom": _FULL_BLOOM,
            "status": "0x1",
            "effectiveGasPrice": transaction["gasPrice"],
            "type": "0x2",
        }


def _transfer_log(seed: Seed, transaction: JsonObject, log_index: int) -> JsonObject:
    receiver, amount = transaction["input"][10:74], transaction["input"][74:]
    return {
        "address": transaction["to"],
        "topics": [TRANSFER, "0x" + word(transaction["from"]), "0x" + receiver],
        "data": "0x" + amount,
        "blockNumber": transaction["blockNumber"],
        "blockHash": transaction["blockHash"],
        "blockTimestamp": hex(seed.timestamp),
        "transactionHash": transaction["hash"],
        "transactionIndex": transaction["transactionIndex"],
        "logIndex": hex(log_index),
        "removed": False,
    }

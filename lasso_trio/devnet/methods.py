"""The read methods: each a plain function of what a node sees (`Site`) and the call's parameters, found in `METHODS`.

Whatever needs memory of its own (filters, sent transactions) is `node`'s; subscriptions are the WebSocket session's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from lasso_trio.devnet import blocks, logs, state
from lasso_trio.devnet import params as read
from lasso_trio.devnet.blocks import Block
from lasso_trio.devnet.chain import View
from lasso_trio.devnet.errors import SERVER_ERROR, NodeError, invalid
from lasso_trio.devnet.json_types import Json, JsonObject
from lasso_trio.devnet.params import Params

MAX_BLOB: Final = 64 * 1024 * 1024
MAX_FEE_HISTORY: Final = 1024


@attrs.frozen
class Site:
    """A view, and the node's limits: `state_depth` blocks of state are kept (None: all), `log_range` searched."""

    view: View
    state_depth: int | None = None
    log_range: int = 1000

    def state_at(self, params: Params, position: int) -> int:
        return read.state_block(self.view, params, position, self.state_depth)


Method = Callable[[Site, Params], Json]


def block_by_number(site: Site, params: Params) -> JsonObject | None:
    full = _flag(params, 1)
    if read.at(params, 0) == "pending":
        return _pending(site.view, full=full)
    block = _numbered(site, params)
    return block.to_json(full=full) if block else None


def block_by_hash(site: Site, params: Params) -> JsonObject | None:
    block = _hashed(site, params)
    return block.to_json(full=_flag(params, 1)) if block else None


def transaction_by_hash(site: Site, params: Params) -> JsonObject | None:
    found = _locate(site, params)
    return found[0].transactions[found[1]] if found else None


def receipt_by_hash(site: Site, params: Params) -> JsonObject | None:
    found = _locate(site, params)
    return found[0].receipts[found[1]] if found else None


def block_receipts(site: Site, params: Params) -> list[JsonObject] | None:
    target = read.at(params, 0)
    is_hash = isinstance(target, str) and len(target) == 66
    block = _hashed(site, params) if is_hash else _numbered(site, params)
    return list(block.receipts) if block else None


def nth_transaction(find: Callable[[Site, Params], Block | None]) -> Method:
    def answer(site: Site, params: Params) -> JsonObject | None:
        block, index = find(site, params), read.quantity(params, 1)
        return block.transactions[index] if block and index < len(block.transactions) else None

    return answer


def count(find: Callable[[Site, Params], Block | None], of: Callable[[Block], int]) -> Method:
    def answer(site: Site, params: Params) -> str | None:
        block = find(site, params)
        return hex(of(block)) if block else None

    return answer


def balance(site: Site, params: Params) -> str:
    return hex(state.balance(read.data(params, 0, 20), site.state_at(params, 1)))


def nonce(site: Site, params: Params) -> str:
    account, number = read.data(params, 0, 20), site.state_at(params, 1)
    return hex(number if account in blocks.ACCOUNTS else 0)


def code(site: Site, params: Params) -> str:
    account, _ = read.data(params, 0, 20), site.state_at(params, 1)
    return state.code(account)


def storage(site: Site, params: Params) -> str:
    return state.storage(read.data(params, 0, 20), read.quantity(params, 1), site.state_at(params, 2))


def call(site: Site, params: Params) -> str:
    transaction = _transaction(params)
    number = site.state_at(params, 1)
    sent = transaction.get("input") or transaction.get("data") or "0x"
    to = transaction.get("to")
    return "0x" if to is None else state.call(read.data_of(to, 0, 20), read.data_of(sent, 0), number)


def estimate_gas(site: Site, params: Params) -> str:
    call(site, params)
    has_code = state.code(str(_transaction(params).get("to")).lower()) != "0x"
    return hex(51_000 if has_code else 21_000)


def access_list(site: Site, params: Params) -> JsonObject:
    return {"accessList": [], "gasUsed": estimate_gas(site, params)}


def fee_history(site: Site, params: Params) -> JsonObject:
    wanted = min(read.quantity(params, 0), MAX_FEE_HISTORY)
    newest = min(read.block_number(site.view, read.at(params, 1), 1), site.view.head)
    percentiles = read.at(params, 2, [])
    oldest = max(0, newest - wanted + 1)
    found = [block for number in range(oldest, newest + 1) if (block := site.view.block(number))]
    history: JsonObject = {
        "oldestBlock": hex(oldest),
        "baseFeePerGas": [hex(blocks.base_fee(number)) for number in range(oldest, newest + 2)],
        "gasUsedRatio": [int(block.header["gasUsed"], 16) / blocks.GAS_LIMIT for block in found],
    }
    if percentiles:
        history["reward"] = [[hex(blocks.TIP) for _ in percentiles] for _ in found]
    return history


def get_logs(site: Site, params: Params) -> list[JsonObject]:
    return logs.get_logs(site.view, read.at(params, 0), site.log_range)


def blob(site: Site, params: Params) -> str:
    """`devnet_blob [n]`: a string of n characters, for tests of large results."""
    size = read.quantity(params, 0)
    if size > MAX_BLOB:
        raise invalid(0, f"at most {MAX_BLOB} bytes")
    return "x" * size


def _flag(params: Params, position: int) -> bool:
    return bool(read.at(params, position, False))


def _numbered(site: Site, params: Params) -> Block | None:
    return site.view.block(read.block_number(site.view, read.at(params, 0), 0))


def _hashed(site: Site, params: Params) -> Block | None:
    return site.view.block_by_hash(read.data(params, 0, 32))


def _locate(site: Site, params: Params) -> tuple[Block, int] | None:
    """The block and index that a transaction hash names, if it is one of this branch."""
    hash_ = read.data(params, 0, 32)
    number, index = blocks.place_of(hash_)
    block = site.view.block(number)
    if block is None or index >= len(block.transactions) or block.transactions[index]["hash"] != hash_:
        return None
    return block, index


def _transaction(params: Params) -> JsonObject:
    transaction = read.at(params, 0)
    if not isinstance(transaction, dict):
        raise invalid(0, "a transaction object is expected")
    return transaction


def _pending(view: View, *, full: bool) -> JsonObject:
    """The block above the head as nodes show it: empty, and without hash, nonce and miner."""
    head = view.block(view.head)
    if head is None:
        raise NodeError(SERVER_ERROR, "header not found")
    unknown: JsonObject = {"hash": None, "nonce": None, "miner": None, "logsBloom": None, "transactions": []}
    number = view.head + 1
    known = {"number": hex(number), "parentHash": head.hash, "timestamp": hex(view.timestamp(number)), "gasUsed": "0x0"}
    return {**head.to_json(full=full), **known, **unknown}


METHODS: Final[dict[str, Method]] = {
    "eth_blockNumber": lambda site, _: hex(site.view.head),
    "eth_chainId": lambda site, _: hex(site.view.chain_id),
    "net_version": lambda site, _: str(site.view.chain_id),
    "net_listening": lambda _, __: True,
    "net_peerCount": lambda _, __: "0x10",
    "web3_clientVersion": lambda _, __: "lasso-devnet/1.0",
    "eth_syncing": lambda _, __: False,
    "eth_accounts": lambda _, __: [],
    "eth_getBlockByNumber": block_by_number,
    "eth_getBlockByHash": block_by_hash,
    "eth_getBlockReceipts": block_receipts,
    "eth_getBlockTransactionCountByNumber": count(_numbered, lambda block: len(block.transactions)),
    "eth_getBlockTransactionCountByHash": count(_hashed, lambda block: len(block.transactions)),
    "eth_getUncleCountByBlockNumber": count(_numbered, lambda _: 0),
    "eth_getUncleCountByBlockHash": count(_hashed, lambda _: 0),
    "eth_getTransactionByHash": transaction_by_hash,
    "eth_getTransactionByBlockNumberAndIndex": nth_transaction(_numbered),
    "eth_getTransactionByBlockHashAndIndex": nth_transaction(_hashed),
    "eth_getTransactionReceipt": receipt_by_hash,
    "eth_getBalance": balance,
    "eth_getTransactionCount": nonce,
    "eth_getCode": code,
    "eth_getStorageAt": storage,
    "eth_call": call,
    "eth_estimateGas": estimate_gas,
    "eth_createAccessList": access_list,
    "eth_gasPrice": lambda site, _: hex(blocks.base_fee(site.view.head) + blocks.TIP),
    "eth_maxPriorityFeePerGas": lambda _, __: hex(blocks.TIP),
    "eth_blobBaseFee": lambda _, __: "0x1",
    "eth_feeHistory": fee_history,
    "eth_getLogs": get_logs,
    "devnet_blob": blob,
}

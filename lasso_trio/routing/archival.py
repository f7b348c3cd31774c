"""Which block a call is about, read from its parameters, and what that asks of a provider: old state, or a fresh head.

Decided by the method first: most calls have no block parameter, and most of those that have one say "latest", which is
seen without decoding. What cannot be read asks for nothing: the node is to judge it. Selectors: EIP-1474 (tags and
numbers), EIP-1898 (objects with a number or a hash). A hash tells no age, so it may need old state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec
from msgspec import Raw

_decode: Final = msgspec.json.Decoder(list[Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_LATEST: Final = b'"latest"]'
_FIRST_LATEST: Final = b'["latest"'
_LONGEST_NUMBER: Final = 18
_HASH_CHARS: Final = 66

LOGS: Final = frozenset({"eth_getLogs", "eth_newFilter", "trace_filter"})
"""Their filter has a `fromBlock` and a `toBlock`."""

PLACES: Final[Mapping[str, int]] = {
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_createAccessList": 1,
    "eth_simulateV1": 1,
    "eth_getStorageAt": 2,
    "eth_getProof": 2,
    "eth_feeHistory": 1,
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0,
    "eth_getTransactionByBlockNumberAndIndex": 0,
    "eth_getUncleByBlockNumberAndIndex": 0,
    "eth_getUncleCountByBlockNumber": 0,
    "debug_traceBlockByNumber": 0,
    "debug_traceCall": 1,
    "trace_block": 0,
    "trace_call": 2,
    "trace_callMany": 1,
    "trace_replayBlockTransactions": 0,
}
"""Where the block stands among the parameters."""

BLOCK_BOUND: Final = LOGS | PLACES.keys()

ARCHIVAL: Final = LOGS | PLACES.keys() - {"eth_feeHistory", "eth_getBlockReceipts"} - {
    "eth_getBlockTransactionCountByNumber",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleCountByBlockNumber",
}
"""Those that an ordinary node answers for recent blocks only."""


@attrs.frozen
class BlockNeed:
    """`low` and `high` are block numbers, None where no number is named (a tag, or nothing).

    `unknown_age`: a block is named by its hash.
    """

    low: int | None = None
    high: int | None = None
    unknown_age: bool = False

    def archival(self, head: int | None, threshold: int) -> bool:
        """Is this beyond what an ordinary node keeps? Without a head a number's age is unknown and does not count."""
        if self.unknown_age or self.low == 0:
            return True
        return self.low is not None and head is not None and head - self.low > threshold


NOTHING: Final = BlockNeed()


def read(method: str, params: bytes) -> BlockNeed:
    """What a call of one of the `BLOCK_BOUND` methods is about. Never raises."""
    if params.endswith(_LATEST) or params.startswith(_FIRST_LATEST):
        return NOTHING
    try:
        values = _decode(params)
        if method in LOGS:
            return _of_filter(values[0])
        return _of_selector(bytes(values[PLACES[method]]))
    except (msgspec.DecodeError, ValueError, IndexError, RecursionError):
        return NOTHING


class _Filter(msgspec.Struct, rename="camel"):
    from_block: Raw = Raw(b"null")
    to_block: Raw = Raw(b"null")
    block_hash: Raw = Raw(b"null")


class _Selector(msgspec.Struct, rename="camel"):
    block_number: Raw = Raw(b"null")
    block_hash: Raw = Raw(b"null")


_decode_filter: Final = msgspec.json.Decoder(_Filter).decode
_decode_selector: Final = msgspec.json.Decoder(_Selector).decode


def _of_filter(text: Raw) -> BlockNeed:
    wanted = _decode_filter(text)
    if bytes(wanted.block_hash) != b"null":
        return BlockNeed(unknown_age=True)
    low, high = _number(bytes(wanted.from_block)), _number(bytes(wanted.to_block))
    named = [number for number in (low, high) if number is not None]
    return BlockNeed(min(named, default=None), max(named, default=None))


def _of_selector(text: bytes) -> BlockNeed:
    if text.startswith(b"{"):
        selector = _decode_selector(text)
        if bytes(selector.block_hash) != b"null":
            return BlockNeed(unknown_age=True)
        text = bytes(selector.block_number)
    elif len(text) == _HASH_CHARS + 2 and text.startswith(b'"0x'):
        return BlockNeed(unknown_age=True)
    number = _number(text)
    return BlockNeed(number, number)


def _number(text: bytes) -> int | None:
    """A JSON string's number; `earliest` is 0; None for other tags, null and what is no number."""
    if text == b'"earliest"':
        return 0
    if not text.startswith(b'"0x') or len(text) > _LONGEST_NUMBER + 2:
        return None
    return int(_decode_text(text), 16)

"""What a call asks about, as far as keeping its answer goes: a price, the head, a block by number or by hash.

Read from the canonical text of its parameters. A call of which it is not certain what it asks about is not for the
cache, and `read` says why. Pure, and never raises. Selectors: EIP-1474 (tags and numbers), EIP-1898 (objects).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.routing import archival


class Kind(StrEnum):
    PRICE = "price"
    HEAD = "head"
    """The newest block, or what follows from it. Other tags move with it too."""
    NUMBERED = "numbered"
    HASHED = "hashed"
    """A block or a transaction by its hash."""


@attrs.frozen
class Question:
    """`high`: the highest block that is named, where the kind is `NUMBERED`. `latest`: no other tag than that."""

    kind: Kind
    high: int = -1
    latest: bool = True


PRICES: Final = frozenset({"eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_blobBaseFee"})
BY_HASH: Final = frozenset(
    [
        "eth_getBlockByHash",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getTransactionByBlockHashAndIndex",
    ]
)
"""Their answers tell the block, so it can be seen whether that still stands. Those of others do not."""

CACHEABLE: Final = PRICES | BY_HASH | archival.PLACES.keys() | {"eth_blockNumber", "eth_getLogs"}
"""No answer of any other method is ever kept."""

_HEAD: Final = Question(Kind.HEAD)
_OTHER_TAG: Final = Question(Kind.HEAD, latest=False)
_HASHED: Final = Question(Kind.HASHED)
_TAGS: Final = {
    b'"latest"': _HEAD,
    b"null": _HEAD,
    b'"safe"': _OTHER_TAG,
    b'"finalized"': _OTHER_TAG,
    b'"earliest"': Question(Kind.NUMBERED, 0),
}
_NUMBER: Final = re.compile(rb'"0x([0-9a-f]{1,15})"')
_HASH: Final = re.compile(rb'"0x[0-9a-f]{64}"')

_decode: Final = msgspec.json.Decoder(list[Raw]).decode


class _Selector(msgspec.Struct, rename="camel"):
    block_number: Raw = Raw(b"null")
    block_hash: Raw = Raw(b"null")


class _Filter(msgspec.Struct, rename="camel"):
    from_block: Raw = Raw(b"null")
    to_block: Raw = Raw(b"null")
    block_hash: Raw = Raw(b"null")


_decode_selector: Final = msgspec.json.Decoder(_Selector).decode
_decode_filter: Final = msgspec.json.Decoder(_Filter).decode


def read(method: str, params: bytes) -> Question | str:
    """What a call with these canonical parameters asks about; or why it is not for the cache: `method`, `pending`,
    `params`.
    """
    if method in PRICES:
        return Question(Kind.PRICE)
    if method == "eth_blockNumber":
        return _HEAD
    try:
        return _read(method, _decode(params))
    except (msgspec.DecodeError, ValueError, IndexError, RecursionError):
        return "params"


def _read(method: str, values: list[Raw]) -> Question | str:
    if method in BY_HASH:
        return _HASHED if _HASH.fullmatch(bytes(values[0])) else "params"
    if method == "eth_getLogs":
        return _of_filter(values[0]) if len(values) == 1 else "params"
    if method not in archival.PLACES:
        return "method"
    place = archival.PLACES[method]
    found = _of_selector(bytes(values[place])) if place < len(values) else _HEAD
    if method == "eth_feeHistory" and found is _HEAD:
        return Question(Kind.PRICE)
    return found


def _of_selector(text: bytes) -> Question | str:
    if text.startswith(b"{"):
        selector = _decode_selector(text)
        by_hash, text = bytes(selector.block_hash), bytes(selector.block_number)
        if by_hash != b"null":
            return _HASHED if _HASH.fullmatch(by_hash) and text == b"null" else "params"
        if text == b"null":
            return "params"
    if _HASH.fullmatch(text):
        return _HASHED
    return _of_bound(text)


def _of_filter(text: Raw) -> Question | str:
    wanted = _decode_filter(text)
    low, high = (_of_bound(bytes(bound)) for bound in (wanted.from_block, wanted.to_block))
    if bytes(wanted.block_hash) != b"null":
        return _HASHED if low is _HEAD and high is _HEAD else "params"
    if isinstance(low, str):
        return low
    if isinstance(high, str):
        return high
    if low.kind is high.kind is Kind.NUMBERED:
        return high if high.high >= low.high else "params"
    return _OTHER_TAG


def _of_bound(text: bytes) -> Question | str:
    if text == b'"pending"':
        return "pending"
    if number := _NUMBER.fullmatch(text):
        return Question(Kind.NUMBERED, int(number[1], 16))
    return _TAGS.get(text, "params")

"""A block's header as streams need it: read once, kept as the JSON that clients get.

A header that came over a feed is passed on as it is. A block that was read over HTTP loses what no `newHeads` event
carries (transactions, uncles, withdrawals, size, total difficulty); the members that stay keep their bytes.
A provider wrote it, and others are asked for what it names: number and hashes are hex, or it is no header.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.errors import LassoError

_NOT_IN_A_HEADER: Final = frozenset({"transactions", "uncles", "withdrawals", "size", "totalDifficulty"})


class BadHeader(LassoError):
    """What came is no block header."""


@attrs.frozen(eq=False)
class Header:
    """`hash`, `parent` and `bloom` are lower-case hex with 0x (`bloom` is empty where the chain has none).

    `raw` is the JSON object for clients.
    """

    number: int
    hash: str
    parent: str
    bloom: str
    raw: bytes


class _Members(msgspec.Struct, rename="camel", gc=False):
    number: str
    hash: str
    parent_hash: str
    logs_bloom: str | None = None


_decode: Final = msgspec.json.Decoder(_Members).decode
_decode_all: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")


def of_event(raw: bytes) -> Header:
    """From the result of a `newHeads` notification. Raises BadHeader."""
    try:
        told = _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadHeader("not a header") from None
    if not (_NUMBER.fullmatch(told.number) and is_hash(told.hash) and is_hash(told.parent_hash)):
        raise BadHeader("not a header")
    number, bloom = int(told.number, 16), (told.logs_bloom or "").lower()
    return Header(number, told.hash.lower(), told.parent_hash.lower(), bloom, raw)


def is_hash(text: str) -> bool:
    """Is it 32 bytes in hex, and nothing else? Length alone would let anything through that is put into requests."""
    return _HASH.fullmatch(text) is not None


def of_block(raw: bytes) -> Header:
    """From a block object without full transactions, as `eth_getBlockBy…` answers. Raises BadHeader."""
    header = of_event(raw)
    kept = {name: value for name, value in _decode_all(raw).items() if name not in _NOT_IN_A_HEADER}
    return attrs.evolve(header, raw=_encode(kept))

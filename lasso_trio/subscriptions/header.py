"""A block's header as streams need it: read once, kept as the JSON that clients get.

A header that came over a feed is passed on as it is. A block that was read over HTTP loses what no `newHeads` event
carries (transactions, uncles, withdrawals, size, total difficulty); the members that stay keep their bytes.
"""

from __future__ import annotations

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
_MOST_DIGITS: Final = 16


def of_event(raw: bytes) -> Header:
    """From the result of a `newHeads` notification. Raises BadHeader."""
    try:
        told = _decode(raw)
        number = int(told.number, 16) if told.number[:2] == "0x" and len(told.number) <= 2 + _MOST_DIGITS else -1
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise BadHeader("not a header") from None
    if number < 0 or len(told.hash) != 66 or len(told.parent_hash) != 66:
        raise BadHeader("not a header")
    return Header(number, told.hash.lower(), told.parent_hash.lower(), (told.logs_bloom or "").lower(), raw)


def of_block(raw: bytes) -> Header:
    """From a block object without full transactions, as `eth_getBlockBy…` answers. Raises BadHeader."""
    header = of_event(raw)
    kept = {name: value for name, value in _decode_all(raw).items() if name not in _NOT_IN_A_HEADER}
    return attrs.evolve(header, raw=_encode(kept))

"""Reading call parameters as strictly as a node does. Every function raises `NodeError` (-32602) on what it refuses."""

from __future__ import annotations

import re
from typing import Final

from lasso_trio.devnet.chain import FINALIZED_DEPTH, SAFE_DEPTH, View
from lasso_trio.devnet.errors import INVALID_PARAMS, SERVER_ERROR, NodeError, invalid
from lasso_trio.devnet.json_types import Json

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_REQUIRED: Final = object()

Params = list[Json]


def at(params: Params, position: int, default: Json = _REQUIRED) -> Json:
    if position < len(params) and params[position] is not None:
        return params[position]
    if default is _REQUIRED:
        raise NodeError(INVALID_PARAMS, f"missing value for required argument {position}")
    return default


def quantity(params: Params, position: int, default: Json = _REQUIRED) -> int:
    value = at(params, position, default)
    if type(value) is int and value >= 0:
        return value
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise invalid(position, f"hex string expected, got {value!r:.80}")
    return int(value, 16)


def data(params: Params, position: int, size: int | None = None) -> str:
    """Hex bytes in lower case; exactly `size` of them when given."""
    return data_of(at(params, position), position, size)


def data_of(value: Json, position: int, size: int | None = None) -> str:
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise invalid(position, f"hex string expected, got {value!r:.80}")
    if size is not None and len(value) != 2 + 2 * size:
        raise invalid(position, f"hex string has length {len(value) - 2}, want {2 * size}")
    return value.lower()


def block_number(view: View, value: Json, position: int) -> int:
    """A tag or a number. `pending` is one above the head; a number may lie anywhere."""
    tags = {
        "latest": view.head,
        "pending": view.head + 1,
        "earliest": 0,
        "safe": max(0, view.head - SAFE_DEPTH),
        "finalized": max(0, view.head - FINALIZED_DEPTH),
    }
    if isinstance(value, str) and value in tags:
        return tags[value]
    return quantity([None] * position + [value], position)


def state_block(view: View, params: Params, position: int, depth: int | None = None) -> int:
    """The block whose state is asked for (default latest); pending state is the latest's. EIP-1898 objects work too.

    Raises `header not found` for blocks above the head and `missing trie node` for those more than `depth` below it.
    """
    number = _state_block_number(view, at(params, position, "latest"), position)
    if number == view.head + 1 and at(params, position, "latest") == "pending":
        number = view.head
    if number > view.head:
        raise NodeError(SERVER_ERROR, "header not found")
    if depth is not None and number < view.head - depth:
        raise NodeError(SERVER_ERROR, f"missing trie node {'ab' * 32} (path ) state is not available")
    return number


def _state_block_number(view: View, value: Json, position: int) -> int:
    if not isinstance(value, dict):
        return block_number(view, value, position)
    if "blockHash" not in value:
        return block_number(view, value.get("blockNumber"), position)
    block = view.block_by_hash(data_of(value["blockHash"], position, 32))
    if block is None:
        raise NodeError(SERVER_ERROR, "header for hash not found")
    return block.number

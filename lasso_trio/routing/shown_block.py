"""Which block an answer shows its reader: the number in a tip, a block, a transaction or a receipt.

A large block that was asked for by its number need not be read for that; any other one must.

Read for calls of a session alone. Pure, and never raises: what cannot be made out shows nothing.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from lasso_trio.jsonrpc.reply import Reply

_HEIGHT: Final = "eth_blockNumber"
_BY_NUMBER: Final = "eth_getBlockByNumber"
_RECEIPTS: Final = "eth_getBlockReceipts"
_OBJECTS: Final = frozenset(
    {
        _BY_NUMBER,
        "eth_getBlockByHash",
        "eth_getTransactionReceipt",
        "eth_getTransactionByHash",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByBlockHashAndIndex",
    }
)
_AT_A_BLOCK: Final = frozenset({_BY_NUMBER, _RECEIPTS, "eth_getTransactionByBlockNumberAndIndex"})
_LATEST: Final = re.compile(rb'\[\s*"latest"')
_PENDING: Final = re.compile(rb'\[\s*"pending"')
_NAMED: Final = re.compile(rb'\[\s*"0x([0-9a-fA-F]{1,16})"')
_MOST_DIGITS: Final = 16


class _Numbered(msgspec.Struct, rename="camel"):
    number: str | None = None
    block_number: str | None = None


class _Height(msgspec.Struct):
    result: str


class _Object(msgspec.Struct):
    result: _Numbered | None


class _List(msgspec.Struct):
    result: list[_Numbered] | None


_decode_height: Final = msgspec.json.Decoder(_Height).decode
_decode_object: Final = msgspec.json.Decoder(_Object).decode
_decode_list: Final = msgspec.json.Decoder(_List).decode


def is_tip(method: str, params: bytes) -> bool:
    """Does the answer tell where the chain is now?"""
    return method == _HEIGHT or (method == _BY_NUMBER and _LATEST.match(params) is not None)


def shows_block(method: str) -> bool:
    """Does a good answer that may be large show a block?"""
    return method in _OBJECTS or method == _RECEIPTS


def asked_block(method: str, params: bytes) -> int | None:
    """The number of the block that a good answer shows, where the question names it: the answer may pass unread."""
    named = _NAMED.match(params) if method in _AT_A_BLOCK else None
    return None if named is None else int(named[1], 16)


def shown_block(method: str, params: bytes, reply: Reply) -> int | None:
    """The number of the block that a good answer shows. A pending block is not there yet and shows none."""
    try:
        if method == _HEIGHT:
            return _number(_decode_height(reply.splice(b"0")).result)
        if not shows_block(method) or (method in _AT_A_BLOCK and _PENDING.match(params)):
            return None
        if method == _RECEIPTS:  # all of one block
            found = next(iter(_decode_list(reply.splice(b"0")).result or ()), None)
        else:
            found = _decode_object(reply.splice(b"0")).result
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if found is None else _number(found.number or found.block_number or "")


def _number(text: str) -> int | None:
    if not text.startswith("0x") or len(text) > _MOST_DIGITS + 2:
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None

"""The hash of a pending transaction, as providers tell it: the hash alone, or the whole transaction."""

from __future__ import annotations

from typing import Final

import msgspec

from lasso_trio.subscriptions.header import is_hash


class _Transaction(msgspec.Struct, gc=False):
    hash: str


_decode: Final = msgspec.json.Decoder(str | _Transaction).decode


def is_whole(result: bytes) -> bool:
    """Is it the transaction and not its hash alone?"""
    return result.lstrip()[:1] == b"{"


def hash_of(result: bytes) -> bytes:
    """The transaction's hash, lower-case; empty when there is none in `result`."""
    try:
        told = _decode(result)
    except (msgspec.DecodeError, RecursionError):
        return b""
    hash_ = told if isinstance(told, str) else told.hash
    return hash_.lower().encode() if is_hash(hash_) else b""

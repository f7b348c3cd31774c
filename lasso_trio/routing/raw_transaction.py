"""What a signed transaction's hash is, before any node has told it. Pure.

    legacy        rlp([…])                                        keccak of all of it
    EIP-2718      type ‖ rlp([…])                                 keccak of all of it, the type's byte included
    EIP-4844      0x03 ‖ rlp([rlp([…]), blobs, …])                the wrapper in which blobs travel (EIP-7594 adds a
                                                                  version): keccak of 0x03 ‖ the inner list alone

Only what is known to be hashed like this has a hash here. Of other types (some chains have types of their own that
are hashed in another way) and of what is no transaction at all, nothing is said: then nodes are believed. What is
looked at is the outermost layer of RLP, and never the fields: whether they are right is for nodes to say.
"""

from __future__ import annotations

from binascii import unhexlify
from typing import Final

import msgspec
from Crypto.Hash import keccak

BLOB: Final = 3
TYPES: Final = frozenset({1, 2, BLOB, 4})
"""EIP-2930, EIP-1559, EIP-4844, EIP-7702."""

_SHORT_LIST: Final = 0xC0
_LONG_LIST: Final = 0xF7

_decode_params = msgspec.json.Decoder(tuple[str]).decode


def hash_in(params: bytes) -> str | None:
    """The hash, as 0x and 64 hex digits, of the transaction that eth_sendRawTransaction's `params` (JSON) hold."""
    try:
        (text,) = _decode_params(params)
        raw = unhexlify(text[2:]) if text.startswith("0x") else b""
    except (msgspec.DecodeError, ValueError):
        return None
    hashed = hashed_part(raw)
    return None if hashed is None else "0x" + keccak256(hashed).hex()


def hashed_part(raw: bytes) -> bytes | None:
    """The bytes of a signed transaction that its hash is made of. None: they cannot be told."""
    if not raw:
        return None
    type_ = raw[0]
    if type_ >= _SHORT_LIST:
        return raw if _list_end(raw, 0) == len(raw) else None
    if type_ not in TYPES or _list_end(raw, 1) != len(raw):
        return None
    return _without_sidecar(raw) if type_ == BLOB else raw


def keccak256(data: bytes) -> bytes:
    """As Ethereum has it: Keccak before it became SHA-3, which pads differently."""
    return keccak.new(digest_bits=256, data=data).digest()


def _without_sidecar(raw: bytes) -> bytes | None:
    """In the wrapper the transaction comes first, as a list; without it, the first thing is a number."""
    start = 1 + _header_length(raw[1])
    if start >= len(raw) or raw[start] < _SHORT_LIST:
        return raw
    end = _list_end(raw, start)
    return None if end is None or end > len(raw) else raw[:1] + raw[start:end]


def _list_end(raw: bytes, at: int) -> int | None:
    """Where the RLP list at `at` says that it ends, which may be beyond `raw`. None: no list begins there."""
    if at >= len(raw) or raw[at] < _SHORT_LIST:
        return None
    first, body = raw[at], at + _header_length(raw[at])
    length = first - _SHORT_LIST if first <= _LONG_LIST else int.from_bytes(raw[at + 1 : body])
    return body + length


def _header_length(first: int) -> int:
    return 1 if first <= _LONG_LIST else 1 + first - _LONG_LIST

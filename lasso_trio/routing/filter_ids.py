"""Filter ids as clients see them: whose filter it is, and what its node calls it, in one opaque hex number.

    0x | kind: 1 digit | tag of the instance: 10 digits | check: 8 digits | the node's own id

A node's filter exists on that node alone, and nothing is remembered here: the id says it all, before and after a
restart. The first digit is never zero, so what reads the id as a quantity and writes it again (or pads it) changes
nothing; a node's id of 128 bits (geth, erigon, besu, reth) makes one below 2^256, which typed clients ask for. The tag
is a digest over profile, chain and instance: it tells no host, and it is looked up among the candidates of one
profile's chain, so that no id can lead anywhere else. Over which transport a filter was made is not in it, because not
every worker has a socket to the node; ids of before said that too, and are still read. The check tells ids of our
making from mistyped or foreign ones; it is no signature.

Pure: text in, values out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

import attrs

_HEX: Final = "1"
"""The node's id is a lower-case hex string: its digits follow."""
_TEXT: Final = "2"
"""It is another string or a number: its JSON text follows, two digits per byte."""

TAG_DIGITS: Final = 10
_CHECK_DIGITS: Final = 8
_HEAD: Final = 1 + TAG_DIGITS + _CHECK_DIGITS
LONGEST: Final = 256
"""Bytes of JSON text that a node's id may have."""

_LOWER_HEX: Final = re.compile(rb'"0x([0-9a-f]+)"')
_OTHER: Final = re.compile(rb'"[^"\\]*"|[0-9]+')
_DIGITS: Final = re.compile(rf"0[xX]([0-9a-fA-F]{{1,{_HEAD + 2 * LONGEST + 2}}})")


@attrs.frozen
class FilterId:
    """`tag` says which instance, `upstream` is the JSON text of the id that its node gave."""

    tag: str
    upstream: bytes


@lru_cache(maxsize=4096)
def tag_of(profile: str, chain_id: int, instance_id: str) -> str:
    """Ten hex digits for one instance in one profile's chain."""
    return _digest("instance", profile, str(chain_id), instance_id)[:TAG_DIGITS]


@lru_cache(maxsize=4096)
def former_tag_of(profile: str, chain_id: int, instance_id: str, transport: str) -> str:
    """The same for one of its channels, as ids were made before: clients may hold some."""
    return _digest("channel", profile, str(chain_id), instance_id, transport)[:TAG_DIGITS]


def wrap(tag: str, upstream: bytes) -> str | None:
    """The id to tell a client; None when the JSON text `upstream` is nothing that a node calls a filter."""
    if len(upstream) > LONGEST:
        return None
    plain = _LOWER_HEX.fullmatch(upstream)
    if plain is not None:
        return _sealed(_HEX, tag, plain[1].decode())
    if _OTHER.fullmatch(upstream) is None:
        return None
    return _sealed(_TEXT, tag, upstream.hex())


def read(text: str) -> FilterId | None:
    """What a client's id says; None when it is none of ours."""
    match = _DIGITS.fullmatch(text)
    if match is None:
        return None
    digits = match[1].lower().lstrip("0")
    kind, tag, rest = digits[:1], digits[1 : 1 + TAG_DIGITS], digits[_HEAD:]
    if not rest or "0x" + digits != _sealed(kind, tag, rest):
        return None
    # The check holds, so the rest is what `wrap` wrote, or what somebody took the trouble to make look like it.
    upstream = b'"0x%b"' % rest.encode() if kind == _HEX else _unhexed(rest)
    return None if wrap(tag, upstream) != "0x" + digits else FilterId(tag, upstream)


def _unhexed(digits: str) -> bytes:
    return bytes.fromhex(digits) if len(digits) % 2 == 0 else b""


def _sealed(kind: str, tag: str, rest: str) -> str:
    return f"0x{kind}{tag}{_digest('filter', kind, tag, rest)[:_CHECK_DIGITS]}{rest}"


def _digest(*parts: str) -> str:
    return sha256("\0".join(("lasso", *parts)).encode()).hexdigest()

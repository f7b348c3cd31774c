"""The parameters of an `eth_getLogs`, read as far as cutting them into parts needs, and written back.

Whatever is not about size stays the bytes it came as, unknown members included. A query that cannot be cut by block
numbers (a block hash, a tag whose height nobody knows, something malformed) reads as None and goes out as it came: the
node is to judge it. EIP-1474 describes the filter object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import attrs
import msgspec
from msgspec import Raw

_decode: Final = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_list: Final = msgspec.json.Decoder(list[Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

_HEX: Final = re.compile(rb'"0[xX]([0-9a-fA-F]{1,16})"')
_BOUNDS: Final = ("fromBlock", "toBlock")
_READ: Final = frozenset({*_BOUNDS, "address", "topics"})
_TAGS: Final = {b"null": "latest", b'"latest"': "latest", b'"safe"': "safe", b'"finalized"': "finalized"}

Height = Callable[[str], int | None]
"""What a tag (`latest`, `safe`, `finalized`) stands for; None where nobody knows."""


def unknown_height(_tag: str = "latest") -> int | None:
    return None


@attrs.frozen
class LogQuery:
    """Blocks `first` to `last`, both included. `addresses` and `topics` are JSON texts; empty means all.

    `others` are the members that are not read, as they came.
    """

    first: int
    last: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[bytes, ...] = ()
    others: tuple[tuple[str, bytes], ...] = ()

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1

    def encode(self) -> bytes:
        """The call's params, a JSON array."""
        filter_ = {"fromBlock": Raw(b'"0x%x"' % self.first), "toBlock": Raw(b'"0x%x"' % self.last)}
        if self.addresses:
            filter_["address"] = Raw(self.addresses[0] if len(self.addresses) == 1 else array(self.addresses))
        if self.topics:
            filter_["topics"] = Raw(array(self.topics))
        filter_ |= {name: Raw(value) for name, value in self.others}
        return b"[%b]" % _encode(filter_)

    @property
    def choices(self) -> tuple[tuple[bytes, ...], ...]:
        """Of which topics a log may have any, place by place. Empty where there is one, or where all will do, which a
        null among them means too.
        """
        return tuple(_choices(topic) for topic in self.topics)

    def choosing(self, place: int, topics: tuple[bytes, ...]) -> LogQuery:
        """The same with these topics to choose from at `place`."""
        return attrs.evolve(self, topics=(*self.topics[:place], array(topics), *self.topics[place + 1 :]))


def _choices(topic: bytes) -> tuple[bytes, ...]:
    found = items(topic) if topic[:1] == b"[" else ()
    return found if len(found) > 1 and b"null" not in found else ()


def read(params: bytes, height: Height = unknown_height) -> LogQuery | None:
    """The query in `params`, or None if it cannot be cut."""
    try:
        filters = _decode(params)
        return _read(filters[0], height) if len(filters) == 1 else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _read(members: dict[str, Raw], height: Height) -> LogQuery | None:
    if bytes(members.get("blockHash", Raw(b"null"))) != b"null":
        return None
    first, last = (_height(bytes(members.get(name, Raw(b"null"))), height) for name in _BOUNDS)
    if first is None or last is None or first > last:
        return None
    address, topics = (_given(members, name) for name in ("address", "topics"))
    others = tuple((name, bytes(value)) for name, value in members.items() if name not in _READ)
    addresses = items(address) if address[:1] == b"[" else (address,) if address else ()
    return LogQuery(first, last, tuple(dict.fromkeys(addresses)), items(topics) if topics else (), others)


def _height(text: bytes, height: Height) -> int | None:
    if number := _HEX.fullmatch(text):
        return int(number[1], 16)
    if text == b'"earliest"':
        return 0
    return height(_TAGS[text]) if text in _TAGS else None


def _given(members: dict[str, Raw], name: str) -> bytes:
    text = bytes(members.get(name, Raw(b"null")))
    return b"" if text == b"null" else text


def items(text: bytes) -> tuple[bytes, ...]:
    """The elements of a JSON array, each as its text. Raises msgspec.DecodeError."""
    return tuple(bytes(item) for item in _decode_list(text))


def array(texts: tuple[bytes, ...]) -> bytes:
    return b"[%b]" % b",".join(texts)

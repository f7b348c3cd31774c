"""One log as streams need it: where it belongs, and the JSON that clients get.

A log is one of a block: its block's hash and its index name it. The JSON is passed on as it came; only when the block
is taken back is it told once more with `removed` true, every other member as before.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.errors import LassoError
from lasso_trio.subscriptions.header import is_hash

_decode_all: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list: Final = msgspec.json.Decoder(list[Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class BadLog(LassoError):
    """What came is no log of a mined block."""


@attrs.frozen(eq=False)
class Log:
    """`block` is its block's hash, lower-case hex with 0x; `index` its place among the block's logs."""

    block: str
    index: int
    removed: bool
    raw: bytes

    def as_removed(self) -> bytes:
        """The JSON that says it is no more."""
        members = _decode_all(self.raw)
        members["removed"] = Raw(b"true")
        return _encode(members)


class _Members(msgspec.Struct, rename="camel", gc=False):
    block_hash: str
    log_index: str
    removed: bool = False


_decode: Final = msgspec.json.Decoder(_Members).decode


def read(raw: bytes) -> Log:
    """From the JSON object of a log. Raises BadLog."""
    try:
        told = _decode(raw)
        index = int(told.log_index, 16)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise BadLog("not a log") from None
    if not is_hash(told.block_hash) or index < 0:
        raise BadLog("not a log")
    return Log(told.block_hash.lower(), index, told.removed, raw)


def read_all(raw: bytes, block: str) -> list[Log]:
    """From the result of an `eth_getLogs` for the block of that hash. Raises BadLog, also for other blocks' logs."""
    try:
        logs = [read(bytes(item)) for item in _decode_list(raw)]
    except (msgspec.DecodeError, RecursionError):
        raise BadLog("not a list of logs") from None
    if any(log.block != block for log in logs):
        raise BadLog("a log of another block")
    return logs

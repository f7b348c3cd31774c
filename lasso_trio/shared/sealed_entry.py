"""A kept answer as bytes on the engine: versioned, sealed, its times in the engine's clock.

    16 bytes: keyed BLAKE2b over the key and what follows │ msgpack array, its first member the version

The seal's key is made of `SECRET_KEY_BASE`: bytes that were garbled, moved to another key, or written by somebody who
does not know it are no entry. Nodes have no clock in common, so times are told in the engine's, which each node knows
as it knows its own within the time of one exchange (`Offset`), and takes for what makes an entry older. Pure.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Final

import attrs
import msgspec

from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.cache_policy import Keep
from lasso_trio.routing.cache_store import Entry

VERSION: Final = 1
_SEAL: Final = 16


@attrs.frozen
class Offset:
    """The engine's clock less ours, in seconds: at least `low`, at most `high`."""

    low: float
    high: float

    @classmethod
    def of(cls, told: float, sent: float, received: float) -> Offset:
        """`told` by the engine some time between `sent` and `received`."""
        return cls(told - received, told - sent)


class _Body(msgspec.Struct, array_like=True, frozen=True):
    version: int
    era: bytes
    before: bytes
    after: bytes
    size: int
    first: int
    why: str
    asked_at: float
    until: float | None
    head: str | None
    blocks: tuple[tuple[int, str], ...]
    tags: tuple[bytes, ...]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Body).decode


@attrs.frozen
class Sealer:
    """`secret`: 32 bytes that the nodes share."""

    secret: bytes = attrs.field(repr=False)

    def seal(self, key: bytes, entry: Entry, era: bytes, offset: Offset) -> bytes:
        """`era`: of the chain that it is of. The entry is a good reply."""
        reply, keep = entry.reply, entry.keep
        body = _Body(
            VERSION,
            era,
            reply.before,
            reply.after,
            reply.result_size,
            reply.result_first,
            keep.why,
            entry.asked_at + offset.low,
            None if keep.until is None else keep.until + offset.low,
            keep.head,
            keep.blocks,
            entry.tags,
        )
        encoded = _encode(body)
        return self._digest(key, encoded) + encoded

    def open(self, key: bytes, sealed: bytes, era: bytes, offset: Offset) -> Entry | None:
        """None for what is not sealed by us under `key`, or is of another era or version."""
        digest, encoded = sealed[:_SEAL], sealed[_SEAL:]
        if not compare_digest(digest, self._digest(key, encoded)):
            return None
        try:
            body = _decode(encoded)
        except msgspec.DecodeError:
            return None
        if body.version != VERSION or body.era != era:
            return None
        until = None if body.until is None else body.until - offset.high
        keep = Keep(body.why, until, body.head, body.blocks)
        reply = Reply(body.before, body.after, None, body.size, body.first)
        return Entry(reply, keep, body.asked_at - offset.high, body.tags)

    def _digest(self, key: bytes, encoded: bytes) -> bytes:
        state = blake2b(key, digest_size=_SEAL, key=self.secret)
        state.update(b"\0")
        state.update(encoded)
        return state.digest()

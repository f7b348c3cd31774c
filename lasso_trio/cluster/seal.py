"""How nodes know each other: every frame is signed with a key made of `SECRET_KEY_BASE`.

    frame = HMAC-SHA256 (32 bytes) · length of the header (4 bytes, big endian) · header · body

The signature covers the direction and the header, and the header names the body's SHA-256, so a snapshot is hashed once
however many ask for it. Who asks sends the time and a nonce; who answers repeats the nonce. An old answer therefore
answers nothing, and an old question is refused: by its time after `SKEW_S`, by its nonce before that.

It is signed and not hidden: what nodes tell each other can be read on the wire.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from enum import StrEnum
from typing import Final

import attrs

from lasso_trio.config.secret import Secret
from lasso_trio.errors import LassoError

SKEW_S: Final = 30.0
"""By so much the clocks of two nodes may differ."""
NONCE_BYTES: Final = 16
MOST_NONCES: Final = 16_384
_MAC: Final = 32
_HEAD: Final = _MAC + 4
_PURPOSE: Final = b"lasso_trio cluster, format 1"


class Direction(StrEnum):
    ASK = "ask"
    TELL = "tell"


class Unsealed(LassoError):
    """The frame is not signed with our secret, or not whole."""


class Seal:
    """One cluster's key."""

    __slots__ = ("_key",)

    def __init__(self, secret: Secret) -> None:
        self._key = hmac.digest(secret.reveal().encode(errors="surrogateescape"), _PURPOSE, "sha256")

    def close(self, direction: Direction, header: bytes, body: bytes = b"") -> bytes:
        """A frame. `header` must name the body's `digest`."""
        return b"".join((self._mac(direction, header), len(header).to_bytes(4, "big"), header, body))

    def open(self, direction: Direction, frame: bytes) -> tuple[bytes, bytes]:
        """Header and body; that the body is the header's is the reader's to check. Raises Unsealed."""
        end = _HEAD + int.from_bytes(frame[_MAC:_HEAD], "big")
        header = frame[_HEAD:end]
        if len(frame) < max(_HEAD, end) or not hmac.compare_digest(frame[:_MAC], self._mac(direction, header)):
            raise Unsealed("not signed with our secret")
        return header, frame[end:]

    def _mac(self, direction: Direction, header: bytes) -> bytes:
        return hmac.digest(self._key, direction.encode() + b"\0" + header, "sha256")


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


@attrs.define(eq=False)
class Nonces:
    """Those of the last moments, to know a repeated question by. Only signed questions may be shown to it."""

    _seen: OrderedDict[bytes, float] = attrs.field(factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, nonce: bytes, now: float) -> bool:
        """Whether `nonce` is new. Also False when more are remembered than a cluster could need."""
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if nonce in self._seen or len(self._seen) >= MOST_NONCES:
            return False
        self._seen[nonce] = now + 2 * SKEW_S  # its time may lie as far ahead of us as behind
        return True

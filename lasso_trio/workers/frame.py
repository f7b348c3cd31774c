"""What goes over the sockets between a worker and the parent: frames, one behind the other.

A frame is its length (four bytes, network order) and a msgpack array `[kind, sender, to, topic, payload, number]`. The
payload is bytes that only who speaks them understands; the parent passes a frame on as it came. Pure: no sockets here.

Who begins to speak says `greeting()` first: the package may have been exchanged under a parent that still runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec

PARENT: Final = -1
EVERYBODY: Final = -2
"""As `to`: all other workers, the parent not among them."""
VERSION: Final = 1
"""Of all that is said on the bus. Raise it when an older end would misread a frame or a payload."""
MAX_FRAME: Final = 4 * 1024 * 1024
"""Bytes of one frame, without its length."""
MAX_PAYLOAD: Final = MAX_FRAME - 1024
"""Bytes of a payload: a larger frame would cost its sender the bus."""
_LENGTH: Final = 4


class Kind(IntEnum):
    TELL = 0
    ASK = 1
    ANSWER = 2
    REFUSAL = 3
    """An ask's other end: the payload says why, in words."""


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`number` is the ask's, chosen by who asks; 0 with what is only told."""

    kind: Kind
    sender: int
    to: int
    topic: str
    payload: bytes
    number: int = 0


class BrokenFrame(Exception):
    """What was read cannot be frames; nothing behind it can be trusted."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Frame).decode


def greeting() -> bytes:
    """The payload of a process' first frame."""
    return _encode(VERSION)


def check_greeting(payload: bytes) -> None:
    """Raises BrokenFrame when whoever said it speaks otherwise than we do."""
    if payload != _encode(VERSION):
        raise BrokenFrame(f"another version of the bus than the parent's ({VERSION}): restart the node")


def encoded(frame: Frame) -> bytes:
    """As it is sent, length included."""
    body = _encode(frame)
    return len(body).to_bytes(_LENGTH, "big") + body


class FrameReader:
    """Bytes in, whole frames out, each with the bytes it came as."""

    __slots__ = ("_inbox",)

    def __init__(self) -> None:
        self._inbox = bytearray()

    def feed(self, data: bytes | bytearray) -> Iterator[tuple[Frame, bytes]]:
        """The frames that `data` completes. Raises BrokenFrame. Use up what it gives before the next `feed`."""
        self._inbox += data
        while (whole := self._take()) is not None:
            try:
                yield _decode(whole[_LENGTH:]), whole
            except (msgspec.DecodeError, UnicodeDecodeError) as fault:
                raise BrokenFrame(str(fault)) from fault

    def _take(self) -> bytes | None:
        if len(self._inbox) < _LENGTH:
            return None
        length = int.from_bytes(self._inbox[:_LENGTH], "big")
        if length > MAX_FRAME:
            raise BrokenFrame(f"a frame of {length} bytes")
        end = _LENGTH + length
        if len(self._inbox) < end:
            return None
        whole = bytes(self._inbox[:end])
        del self._inbox[:end]
        return whole

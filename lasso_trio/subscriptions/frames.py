"""Whole WebSocket frames as a server sends them: unmasked, unfragmented, uncompressed (RFC 6455, section 5.2).

A frame that holds nothing of its socket can be made once and written to ten thousand of them. Pure.
"""

from __future__ import annotations

import struct
from typing import Final

TEXT: Final = 0x81
PING: Final = 0x89
CLOSE: Final = 0x88
"""First bytes: the opcode and the bit that says the message ends here."""

MOST_CONTROL: Final = 125
"""Bytes that a control frame may carry (RFC 6455, section 5.5)."""


def text_frame(payload: bytes) -> bytes:
    """A text message of any size. `payload` must be UTF-8."""
    size = len(payload)
    if size < 126:
        return b"%c%c%b" % (TEXT, size, payload)
    if size < 65_536:
        return b"%b%b" % (struct.pack("!BBH", TEXT, 126, size), payload)
    return b"%b%b" % (struct.pack("!BBQ", TEXT, 127, size), payload)


def ping_frame(payload: bytes = b"") -> bytes:
    """A ping with at most 125 bytes."""
    assert len(payload) <= MOST_CONTROL, "a control frame is short"
    return b"%c%c%b" % (PING, len(payload), payload)


def close_frame(code: int, reason: str) -> bytes:
    """A close with its reason, cut between characters where it does not fit."""
    text = reason.encode()[: MOST_CONTROL - 2].decode(errors="ignore").encode()
    return b"%c%c%b%b" % (CLOSE, 2 + len(text), struct.pack("!H", code), text)

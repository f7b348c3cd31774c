"""One accepted connection as the door sees it: where it is in its life, since when, and how to end it.

    IDLE ─first byte─► HEAD ─► BODY ─► CALL ─► WRITING ─► IDLE
      └ the whole request in one read: straight to CALL      └ refused: LINGER ─► closed
    HANDED: another lane owns the stream; the door only keeps it for the drain

The task that serves the connection moves `phase` and `since`; the sweeper reads them. One cancel scope for the whole
life: whoever wants the connection gone (sweeper, hang-up watch, drain) calls `cut`, and the serving task cleans up.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from enum import IntEnum
from typing import Final

import attrs
import trio

from lasso_trio.upstream.raw_stream import RawStream

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class Phase(IntEnum):
    IDLE = 0
    HEAD = 1
    BODY = 2
    CALL = 3
    WRITING = 4
    LINGER = 5
    HANDED = 6


# Plain names: looking a member up on an Enum class costs more than the assignment that needs it.
IDLE: Final = Phase.IDLE
HEAD: Final = Phase.HEAD
BODY: Final = Phase.BODY
CALL: Final = Phase.CALL
WRITING: Final = Phase.WRITING
LINGER: Final = Phase.LINGER
HANDED: Final = Phase.HANDED


@attrs.frozen
class Peer:
    """Who is at the other end of the TCP connection (a proxy in front of us, if there is one)."""

    host: str
    """An IP address; IPv4 that came over an IPv6 socket is written as IPv4."""
    port: int
    tls: bool = False


class Cut(IntEnum):
    """Why a connection was ended from outside its own task."""

    HEAD_TIMEOUT = 1
    BODY_TIMEOUT = 2
    IDLE_TIMEOUT = 3
    WRITE_TIMEOUT = 4
    LINGER_TIMEOUT = 5
    HANGUP = 6
    DRAIN = 7


@attrs.define(eq=False)
class Connection:
    """`since`: trio's clock, when the phase began or last made progress. `reserved`: bytes held of the budget, in the
    name of `address` (empty: in nobody's).
    """

    stream: trio.abc.Stream
    peer: Peer
    since: float
    phase: Phase = IDLE
    reserved: int = 0
    address: str = ""
    cut_by: Cut | None = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self.since = now

    def progress(self, size: int, rate: float, now: float) -> None:
        """`size` bytes went over: push the time-out by what they may take at `rate`, but never into the future."""
        self.since = min(now, self.since + size / rate)

    def has_spoken(self) -> bool:
        """Whether something was sent to us that is still in the socket. One system call."""
        return isinstance(self.stream, RawStream) and self.stream.is_readable()

    def cut(self, why: Cut) -> None:
        """End the connection: its task is cancelled wherever it waits, and closes the stream."""
        if self.cut_by is None:
            self.cut_by = why
            self.scope.cancel()

    def abort(self) -> None:
        """Close at once with a reset, so that the peer cannot take what it has for the whole, and nothing lingers."""
        if isinstance(self.stream, RawStream):
            with contextlib.suppress(OSError):
                self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.close()

    def close(self) -> None:
        """Close a socket now, whoever uses it. Other streams are closed by `aclose`."""
        if isinstance(self.stream, RawStream):
            self.stream.close()

    async def aclose(self) -> None:
        """Close the stream; never waits for the peer, and swallows what closing may raise."""
        if isinstance(self.stream, RawStream):
            self.stream.close()
        else:
            await trio.aclose_forcefully(self.stream)

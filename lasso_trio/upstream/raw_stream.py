"""A trio stream over a connected, non-blocking socket that pays for one wait per exchange and nothing else.

`trio.SocketStream` adds checkpoints, locks and conversions that cost more than the system calls they wrap. This one
sends optimistically (most sends fit the kernel's buffer, so nothing is awaited) and waits for readability before it
reads. Both ends of the proxy use it: accepted clients and dialled providers.

Invariants: the object owns the socket; `close()` is synchronous, idempotent and wakes whoever waits; a cancelled
`receive_some` has lost nothing; a cancelled `send_all` leaves an unknown part sent, so the stream must be closed.
"""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Final, NoReturn, final

import trio

CHUNK: Final = 65_536
"""Bytes asked of the kernel in one read: bigger gains nothing on loopback, smaller costs wake-ups on big answers."""

FAIR_SENDS: Final = 32
"""Sends in a row without a wait after which `send_all` yields: a task that only sends must not freeze the scheduler."""

Buffer = bytes | bytearray | memoryview


class NothingSent(trio.BrokenResourceError):
    """The peer is gone and not one byte of this `send_all` reached the kernel: the request cannot have been seen."""


class Woken(Exception):
    """`wake` ended a wait for bytes. The stream is as it was, and may be waited on again."""


class Traffic:
    """Bytes that the kernel took from us and gave to us."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


@final
class RawStream(trio.abc.HalfCloseableStream):
    """`RawStream(sock)` takes over a connected stdlib socket.

    Unlike trio's own streams, a `send_all` that fits the kernel's buffer is not a checkpoint (except every 32nd in a
    row). Concurrent use of one direction raises `trio.BusyResourceError` where it would have to wait.
    """

    __slots__ = ("_closed", "_poll", "_sending", "_sent_eof", "_streak", "_woken", "socket", "traffic")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # a unix socket has no Nagle
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: Final = sock
        self.traffic = Traffic()
        """Where its bytes are counted; whoever it belongs to may put another there."""
        self._closed = False
        self._sent_eof = False
        self._sending = False
        self._streak = 0
        self._woken = False
        self._poll: select.poll | None = None

    def __repr__(self) -> str:
        return f"<RawStream {'closed' if self._closed else f'fd={self.socket.fileno()}'}>"

    # Sending…

    async def send_all(self, data: Buffer) -> None:
        """Send everything. Raises `NothingSent`, `BrokenResourceError` (peer gone) or `ClosedResourceError`."""
        sent = self.send_now(data)
        if sent != len(data):
            await self.send_rest(data, sent)
        else:
            self._streak += 1
            if self._streak >= FAIR_SENDS:
                self._streak = 0
                await trio.lowlevel.checkpoint()

    def send_now(self, data: Buffer) -> int:
        """Send what the kernel takes without a wait, and say how much that was. Raises as `send_all` does."""
        if self._closed or self._sent_eof or self._sending:
            self._refuse_send()
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise NothingSent(f"socket is broken: {error.strerror}") from error
        self.traffic.sent += sent
        return sent

    async def send_rest(self, data: Buffer, sent: int) -> None:
        """What `send_now` left: everything after the first `sent` bytes."""
        if self._closed or self._sending:
            self._refuse_send()
        self._sending, before = True, sent
        try:
            with memoryview(data).cast("B") as view:
                while sent < len(view):
                    await trio.lowlevel.wait_writable(self.socket)
                    with contextlib.suppress(BlockingIOError, InterruptedError), view[sent:] as rest:
                        sent += self.socket.send(rest)
        except OSError as error:
            raise self._broken(error) from error
        finally:
            self.traffic.sent += sent - before
            self._sending = False
            self._streak = 0

    def _refuse_send(self) -> NoReturn:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self._sent_eof:
            raise trio.ClosedResourceError("sending was ended by send_eof")
        raise trio.BusyResourceError("another task is sending on this stream")

    async def wait_send_all_might_not_block(self) -> None:
        if self._closed or self._sent_eof or self._sending:
            self._refuse_send()
        self._sending = True
        try:
            await trio.lowlevel.wait_writable(self.socket)
        finally:
            self._sending = False

    async def send_eof(self) -> None:
        """Half-close: the peer reads the end after what was sent. Idempotent."""
        await trio.lowlevel.checkpoint()
        if self._sent_eof:
            return
        if self._closed or self._sending:
            self._refuse_send()
        self._sent_eof = True
        with contextlib.suppress(OSError):  # not connected any more: the peer knows
            self.socket.shutdown(socket.SHUT_WR)

    # Receiving…

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait, then read up to `max_bytes` (64 KiB). `b""` is the end. Always a checkpoint. May raise `Woken`."""
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        self._streak = 0
        while True:
            try:
                await trio.lowlevel.wait_readable(self.socket)
            except trio.ClosedResourceError:
                if not self._woken or self._closed:
                    raise
                self._woken = False
                raise Woken from None
            try:
                data = self.socket.recv(max_bytes or CHUNK)
            except (BlockingIOError, InterruptedError):
                continue  # a spurious wake-up
            except OSError as error:
                raise self._broken(error) from error
            self.traffic.received += len(data)
            return data

    def wake(self) -> None:
        """End the wait of whoever reads just now with `Woken`; nothing is lost. Without a reader: nothing happens."""
        if not self._closed:
            self._woken = True
            trio.lowlevel.notify_closing(self.socket)

    def forget_wake(self) -> None:
        """A wake that came too late, when the reader had its bytes already, must not end a later wait."""
        self._woken = False

    def is_readable(self) -> bool:
        """Whether a read would return now: bytes, the end, or an error. One system call, no wait.

        An idle kept connection must not be readable: if it is, the peer has closed it or speaks out of turn.
        """
        if self._closed:
            return True
        if self._poll is None:
            self._poll = select.poll()  # half the price of a peek, which raises its usual answer
            self._poll.register(self.socket, select.POLLIN)
        return bool(self._poll.poll(0))

    # Closing…

    def close(self) -> None:
        """Close now, without a checkpoint. Tasks that wait on the socket get `ClosedResourceError`."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(RuntimeError):  # outside `trio.run` nobody can be waiting
            trio.lowlevel.notify_closing(self.socket)
        self.socket.close()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def _broken(self, error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
        if self._closed:
            return trio.ClosedResourceError("this stream was closed while it was in use")
        return trio.BrokenResourceError(f"socket is broken: {error.strerror}")

"""Listening sockets: how they are made, and the loop that takes connections from them.

Sockets are the standard library's, non-blocking; trio's wrapper would cost a checkpoint per accept. Options are set
once on the listening socket and inherited by what it accepts.

Error handling: running out of descriptors or memory (`EMFILE` and the like) is waited out, as `trio.serve_listeners`
does; a connection that died in the queue is skipped; anything else is a bug or the end of the socket, and is raised.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Final, Protocol, final

import structlog
import trio

from lasso_trio.server.connection import Peer
from lasso_trio.upstream.raw_stream import RawStream

BACKLOG: Final = 4_096
USER_TIMEOUT_MS: Final = 30_000
"""The kernel gives up on a peer that acknowledges nothing, or keeps its window shut, for this long."""
ACCEPTS_PER_WAKE: Final = 64
WAKES_AT_END: Final = BACKLOG // ACCEPTS_PER_WAKE + 1  # the kernel queues one more than it was asked to
OVERLOAD_PAUSE: Final = 0.1

_OVERLOAD: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# What accept(2) reports of a connection that failed before it was accepted, under "Error handling" in its manual.
_DEAD_ON_ARRIVAL: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENONET"),
        *("ENOPROTOOPT", "EOPNOTSUPP", "EPERM", "EPROTO", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
)

Admit = Callable[[trio.abc.Stream, Peer], None]
"""Takes an accepted connection over; must not block and not raise."""

log = structlog.get_logger(__name__)


class Accepting(Protocol):
    """Whatever the door can take connections from."""

    async def accept_into(self, admit: Admit) -> None: ...


@final
class Listener:
    """One listening socket. `host` and `port` are what it is bound to."""

    __slots__ = ("_overloaded", "_sock", "host", "port")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.host, self.port = sock.getsockname()[:2]
        self._overloaded = False

    def __repr__(self) -> str:
        return f"<Listener {self.host}:{self.port}>"

    async def accept_into(self, admit: Admit) -> None:
        """Accept until cancelled, several per wake-up; then take what the kernel still has queued, and close."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._sock)
                self._accept_some(admit)
                if self._overloaded:
                    await trio.sleep(OVERLOAD_PAUSE)
        finally:
            with contextlib.suppress(OSError):  # they were told "connected" already; closing would reset them
                self._accept_queued(admit)
            self.close()

    def _accept_queued(self, admit: Admit) -> None:
        """As many as the queue can hold: clients that come back as soon as they are turned away would never end."""
        for _ in range(WAKES_AT_END):
            if not self._accept_some(admit):
                return

    def _accept_some(self, admit: Admit) -> int:
        """How many there were, `ACCEPTS_PER_WAKE` at most."""
        number = 0
        for sock, peer in self._ready():
            admit(RawStream(sock), peer)
            number += 1
        return number

    def _ready(self) -> Iterator[tuple[socket.socket, Peer]]:
        for _ in range(ACCEPTS_PER_WAKE):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _DEAD_ON_ARRIVAL:
                    continue
                self._note_overload(error)
                return
            self._overloaded = False
            yield sock, peer_of(address)

    def _note_overload(self, error: OSError) -> None:
        if error.errno not in _OVERLOAD:
            raise error
        if not self._overloaded:
            log.error("listener.overloaded", listener=str(self), reason=error.strerror)
        self._overloaded = True

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # outside `trio.run` nobody can be waiting
            trio.lowlevel.notify_closing(self._sock)
        self._sock.close()


def peer_of(address: object) -> Peer:
    """What `accept` said, as a `Peer`; an IPv4 address that came over IPv6 is given as IPv4."""
    if not isinstance(address, tuple):  # a unix socket
        return Peer("127.0.0.1", 0)
    host = str(address[0])
    if host.startswith("::ffff:") and "." in host:
        host = host.removeprefix("::ffff:")
    return Peer(host, address[1])


async def open_listeners(host: str | None, port: int, *, shared: bool = False) -> list[Listener]:
    """Listen on `host` (None: everywhere, both families) and `port` (0: any free one). `OSError` names them.

    `shared`: other processes of this user may listen on the same address; the kernel spreads connections over them.
    """
    try:
        if shared:
            return [Listener(_harden(_listening(sock))) for sock in await bind_shared(host, port)]
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:  # the latter from names that no resolver is asked for
        why = getattr(error, "strerror", None) or error
        raise OSError(f"cannot listen on {host or 'every address'}, port {port}: {why}") from error
    return [Listener(_harden(socket.socket(fileno=listener.socket.detach()))) for listener in listeners]


async def bind_shared(host: str | None, port: int) -> list[socket.socket]:
    """Sockets that are bound to each address of `host` with SO_REUSEPORT, and do not listen. Raises OSError.

    With port 0 the kernel chooses one, the same for all addresses.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in found:
            port = port or (sockets[0].getsockname()[1] if sockets else 0)
            sock = _of_family(family, kind, protocol)
            if sock is not None:
                sockets.append(sock)
                _bind(sock, (address[0], port, *address[2:]))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(errno.EAFNOSUPPORT, "the system supports no family of this address")
    return sockets


def _of_family(family: int, kind: int, protocol: int) -> socket.socket | None:
    """None: the resolver knows a family that the system does not."""
    try:
        return socket.socket(family, kind, protocol)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        return None


def _bind(sock: socket.socket, address: tuple[object, ...]) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(address)


def _listening(sock: socket.socket) -> socket.socket:
    sock.listen(BACKLOG)
    return sock


def _harden(sock: socket.socket) -> socket.socket:
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock

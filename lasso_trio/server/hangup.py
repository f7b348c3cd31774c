"""Noticing that a client has gone while its call is in flight, at no cost per call.

Nobody reads a connection during its call, so its end would be seen only when the answer is written. One epoll of our
own holds every accepted socket, registered once, edge-triggered, for hang-ups only: data does not wake it. One task
waits for that epoll.

What counts as gone: a reset, always; a FIN, when it comes during a call and more than `SAME_BREATH` after the call
began. TCP cannot tell a client that closed from one that only ended its sending side; clients that half-close on
purpose (`nc`, `printf … | socat`) do so right behind the request, clients that give up do so later. A FIN that came
before the call began, or right with it, lets the call run to its end. Where epoll is missing nothing is noticed.
"""

from __future__ import annotations

import select
import sys
from typing import Final

import trio

from lasso_trio.server.connection import CALL, Connection, Cut
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.upstream.raw_stream import RawStream

SAME_BREATH: Final = 0.01
"""Seconds. Long enough for a FIN that follows its request through a busy loop, too short for a client's patience."""

if sys.platform == "linux":
    _WATCHED: Final = select.EPOLLRDHUP | select.EPOLLET
    _RESET: Final = select.EPOLLHUP | select.EPOLLERR

    class HangupWatch:
        """`watch` each accepted connection, `forget` it before its socket is closed, `run` the task."""

        __slots__ = ("_by_fd", "_counters", "_epoll", "_fds")

        def __init__(self, counters: DoorCounters) -> None:
            self._epoll = select.epoll()
            self._by_fd: dict[int, Connection] = {}
            self._fds: dict[Connection, int] = {}
            """A socket that was closed already does not know its number any more."""
            self._counters = counters

        def __len__(self) -> int:
            return len(self._by_fd)

        def watch(self, connection: Connection) -> None:
            if isinstance(connection.stream, RawStream):
                fd = connection.stream.socket.fileno()
                self._epoll.register(fd, _WATCHED)
                self._by_fd[fd] = connection
                self._fds[connection] = fd

        def forget(self, connection: Connection) -> None:
            """Closing the socket takes it out of the epoll; this keeps its number from meaning the wrong connection."""
            fd = self._fds.pop(connection, None)
            if fd is not None and self._by_fd.get(fd) is connection:
                del self._by_fd[fd]

        async def run(self) -> None:
            """Watch until cancelled."""
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                now = trio.current_time()
                for fd, events in self._epoll.poll(0, 256):
                    connection = self._by_fd.get(fd)
                    if connection is not None and is_gone(connection, bool(events & _RESET), now):
                        self._counters.hangups += 1
                        connection.cut(Cut.HANGUP)

        def close(self) -> None:
            self._by_fd.clear()
            self._fds.clear()
            self._epoll.close()

else:  # pragma: no cover

    class HangupWatch:
        """No epoll here: nothing is noticed before the answer is written."""

        def __init__(self, counters: DoorCounters) -> None:
            pass

        def __len__(self) -> int:
            return 0

        def watch(self, connection: Connection) -> None:
            pass

        def forget(self, connection: Connection) -> None:
            pass

        async def run(self) -> None:
            await trio.sleep_forever()

        def close(self) -> None:
            pass


def is_gone(connection: Connection, reset: bool, now: float) -> bool:
    """Whether a hang-up seen at `now` ends the connection's call."""
    return connection.phase is CALL and (reset or now - connection.since > SAME_BREATH)

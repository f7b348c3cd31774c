"""One worker's process, from its start to its end: the same program again, with a post in its environment.

The command is ours as it was given, so that the worker is found, configured and measured as we are. Started in a
thread by trio, so no parent-death signal could be asked for (it would follow that thread): the worker knows by the end
of its bus that we are gone.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import trio

from lasso_trio.workers.post import Post

OURS_ONLY: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")
"""The service manager's words to the process that it started."""
STANDBY: Final = "_LASSO_STANDBY"
"""In the environment of a process that waits for a post: the number of its bus, and which modules it needs besides what
all do, with blanks between. `workers.standby` reads it.
"""
NOBODY: Final = -1
LAST_WORDS_S: Final = 1.0


def own_command() -> list[str]:
    """How this process was started."""
    return [sys.executable, *sys.orig_argv[1:]]


@attrs.define(eq=False)
class Standby:
    """A process without a post. `stream`: our end of its bus, whose other end is number `bus` there. `started`, and
    `waits_since` (it has imported all): trio's clock.
    """

    process: trio.Process
    stream: trio.abc.Stream
    bus: int
    started: float
    waits_since: float | None = None
    hearing: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Around whoever reads its bus until it has a post; cancelled by who takes it."""
    free: trio.Event = attrs.field(factory=trio.Event)
    """Nobody reads its bus any more."""

    def waited_s(self, now: float) -> float | None:
        """None: it never got so far."""
        return None if self.waits_since is None else round(now - self.waits_since, 3)


@attrs.frozen
class Program:
    """What is started as a worker. `post(worker, bus)` makes its post; `turn` is inherited as well. `needed`: modules
    that a standby has not by itself.
    """

    post: Callable[[int, int], Post]
    needed: Sequence[str] = attrs.field(default=(), kw_only=True)
    command: Sequence[str] = attrs.field(factory=own_command)
    environment: Mapping[str, str] = attrs.field(factory=lambda: dict(os.environ))

    async def start(self, worker: int) -> tuple[trio.Process, trio.SocketStream]:
        """The process, and our end of its bus. Raises OSError. Cancelled: a process that was started is left to the
        end of its bus.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            post = self.post(worker, theirs.fileno())
            return await self._open(ours, post, post.to_environment())

    async def start_standby(self) -> Standby:
        """A process that waits for a post. Raises and is cancelled as `start`."""
        ours, theirs = socket.socketpair()
        with theirs:
            post = self.post(NOBODY, theirs.fileno())
            process, stream = await self._open(ours, post, {STANDBY: " ".join([str(post.bus), *self.needed])})
        return Standby(process, stream, post.bus, trio.current_time())

    async def _open(
        self, ours: socket.socket, post: Post, told: Mapping[str, str]
    ) -> tuple[trio.Process, trio.SocketStream]:
        try:
            process = await trio.lowlevel.open_process(
                self.command,
                env={**self._environment(), **told},
                pass_fds=(post.bus, post.turn),
                stdin=subprocess.DEVNULL,
            )
        except RuntimeError as fault:  # the system refuses the thread that processes are started in
            ours.close()
            raise OSError(errno.EAGAIN, str(fault)) from fault
        except BaseException:
            ours.close()
            raise
        return process, trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in self.environment.items() if name not in OURS_ONLY}


def ending(code: int) -> dict[str, object]:
    """An exit code of a process, for the log."""
    return {"exit_code": code} if code >= 0 else {"signal": _signal(-code)}


def _signal(number: int) -> str:

    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)

"""One worker's process, from its start to its end: the same program again, with a post in its environment.

The command is ours as it was given, so that the worker is found, configured and measured as we are. Started in a
thread by trio, so no parent-death signal could be asked for (it would follow that thread): the worker knows by the end
of its bus that we are gone.
"""

from __future__ import annotations

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
LAST_WORDS_S: Final = 1.0


def own_command() -> list[str]:
    """How this process was started."""
    return [sys.executable, *sys.orig_argv[1:]]


@attrs.frozen
class Program:
    """What is started as a worker. `post(worker, bus)` makes its post; `turn` is inherited as well."""

    post: Callable[[int, int], Post]
    command: Sequence[str] = attrs.field(factory=own_command)
    environment: Mapping[str, str] = attrs.field(factory=lambda: dict(os.environ))

    async def start(self, worker: int) -> tuple[trio.Process, trio.SocketStream]:
        """The process, and our end of its bus. Raises OSError. Cancelled: a process that was started is left to the
        end of its bus.
        """
        ours, theirs = socket.socketpair()
        try:
            post = self.post(worker, theirs.fileno())
            process = await trio.lowlevel.open_process(
                self.command,
                env=self._environment() | post.to_environment(),
                pass_fds=(post.bus, post.turn),
                stdin=subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
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

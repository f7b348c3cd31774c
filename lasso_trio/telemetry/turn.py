"""Whose turn it is to write: several processes share one output, and no line of one may stand in another's.

A write to a pipe is whole only up to 4 KiB. So whoever writes holds a lock on a file that all have open; the kernel
frees it when the holder dies. It is taken by the writer threads only: nobody waits on a loop.
"""

from __future__ import annotations

import fcntl
from contextlib import suppress
from types import TracebackType


class Turn:
    """`with turn:` around each write. `fd`: the file's, the same file in all processes (POSIX record locks)."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> None:
        with suppress(OSError):  # lines that may be torn are better than none
            fcntl.lockf(self.fd, fcntl.LOCK_EX)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with suppress(OSError):
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

"""Where log lines go: a bounded queue and one thread that writes it out.

The loop only ever appends, so a stalled terminal or pipe costs lines, never time; lost lines are counted and reported:
at the first loss and then once a minute at most, for an output that is gone loses something at each try. What is queued
is a finished line (bytes) or an object for which a renderer was registered: then the work of rendering is the thread's
too.

The thread shares the interpreter with the loop, so it is kept rare and short: while lines keep coming it looks every
50 ms instead of being woken (a wake-up costs the loop more than the line itself), renders few lines between two writes,
because a write lets the loop run, and sleeps without a timer only after two quiet seconds.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from math import inf
from time import monotonic
from typing import Any, Final

CAPACITY: Final = 8192
PAUSE_S: Final = 0.05
QUIET_PAUSES: Final = 40
LINES_PER_WRITE: Final = 32
REPORT_EVERY_S: Final = 60.0


class _Mark:
    """Queued by `flush`: all that was queued before it has been written when it is released."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = threading.Event()


class LogSink:
    """`dropped`: lines lost to a full queue or a broken descriptor, since the beginning.

    Any thread may `push`, also from a finalizer or a signal handler: no lock is held while Python code runs.
    """

    def __init__(
        self,
        fd: int = 1,
        *,
        capacity: int = CAPACITY,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.fd = fd
        self.capacity = capacity
        self.pause_s = pause_s
        self.dropped = 0
        self.report_dropped: Callable[[int], bytes] | None = None
        """Makes the line that tells how many were lost since the last such line that was written."""
        self.sign: Callable[[bytes], bytes] | None = None
        """What is done to each line before it is written, such as saying whose it is."""
        self.turn: AbstractContextManager[object] = nullcontext()
        """Held while lines are written, where other processes write to the same output."""
        self._clock = clock
        self._reported = 0
        self._next_report = -inf
        self._is_writing = True
        self._queue: deque[Any] = deque()
        self._renderers: dict[type, Callable[[Any], bytes]] = {}
        # A lock as a bell: released means rung. Unlike an Event it may be rung by whoever interrupts the ringer.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def __repr__(self) -> str:
        return f"<LogSink fd={self.fd} queued={len(self._queue)} dropped={self.dropped}>"

    def render_with(self, kind: type, render: Callable[[Any], bytes]) -> None:
        """`render` turns a pushed `kind` into a line, newline included, in the writer thread."""
        self._renderers[kind] = render

    def start(self) -> None:
        self._thread.start()

    def push(self, item: object) -> None:
        """Queue a line (bytes, newline included) or an object of a registered type. Never blocks, never raises."""
        queue = self._queue
        if len(queue) >= self.capacity:
            self.dropped += 1
            return
        queue.append(item)
        if self._asleep:
            self._asleep = False
            self._ring()

    def flush(self, timeout: float) -> bool:
        """Wait (blocking this thread) until everything queued so far is written. False if that took too long."""
        if not self._thread.is_alive():
            return not self._queue
        mark = _Mark()
        self._queue.append(mark)
        self._ring()
        return mark.passed.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Write what is queued and end the thread; False if it still hangs in a write after `timeout` seconds.

        What is pushed later counts as dropped.
        """
        self.capacity = 0
        self._closing = True
        self._ring()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # already rung
            self._bell.release()

    # -- the writer thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        quiet = 0
        while True:
            quiet = 0 if self._drain() else quiet + 1
            if self._closing and not self._queue:
                return
            if quiet <= QUIET_PAUSES:
                self._bell.acquire(timeout=self.pause_s)
            else:
                self._sleep()
                quiet = 0

    def _sleep(self) -> None:
        self._asleep = True
        # Looked at again after `_asleep` is visible: whoever pushed before that saw no need to ring.
        if not self._queue and not self._closing:
            self._bell.acquire()
        self._asleep = False

    def _drain(self) -> int:
        """Write what is queued now; how much that was."""
        queue = self._queue
        lines: list[bytes] = []
        total = len(queue)
        for _ in range(total):
            item = queue.popleft()
            if type(item) is _Mark:
                self._write(lines)
                lines = []
                item.passed.set()
                continue
            lines.append(item if type(item) is bytes else self._render(item))
            if len(lines) >= LINES_PER_WRITE:
                self._write(lines)
                lines = []
        self._write(lines)
        return total

    def _render(self, item: object) -> bytes:
        try:
            return self._renderers[type(item)](item)
        except Exception:  # a record that cannot be shown must not end the logging of all others
            self.dropped += 1
            return b""

    def _write(self, lines: list[bytes]) -> None:
        dropped = self.dropped
        report = self._report(dropped - self._reported)
        if not report and not lines:
            return
        if self._put([*report, *lines]):
            self._reported = dropped if report else self._reported
        else:
            self.dropped += len(lines)

    def _report(self, missing: int) -> list[bytes]:
        """The line about `missing` lines, if there are any and it is time. The last chance is taken."""
        is_last = self._closing and self._is_writing
        if not missing or self.report_dropped is None or (self._clock() < self._next_report and not is_last):
            return []
        self._next_report = self._clock() + REPORT_EVERY_S
        return [self.report_dropped(missing)]

    def _put(self, lines: list[bytes]) -> bool:
        if self.sign is not None:
            lines = [self.sign(line) for line in lines if line]
        with self.turn:
            self._is_writing = self._write_all(b"".join(lines))
        return self._is_writing

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:  # another process made the shared terminal non-blocking
                waiting = select.poll()
                waiting.register(self.fd, select.POLLOUT)
                waiting.poll(1000)
            except OSError:
                return False
        return True

"""What becomes of the connections of calls nobody waits for any more: the losers of a race, the callers that left.

Their answers are mostly short and mostly on the way, so a little patience saves a TCP and TLS set-up: for up to 250 ms
(losers) or 40 ms (callers that left), and up to 64 KiB, an answer is drained and its connection returned to the pool.
Whatever takes longer is closed. While it drains, a connection keeps its slot.

Invariant: a connection that `submit` took is released or discarded exactly once, also when the service is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from lasso_trio.upstream.connection import Connection
from lasso_trio.upstream.faults import UpstreamFault

PATIENCE_S: Final = 0.25
"""For the loser of a race, whose answer is likely to be near."""
HASTE_S: Final = 0.04
"""For a call whose client has gone: closing its connection is all that can tell a provider to stop working on it."""
LARGEST: Final = 65_536


@attrs.frozen
class Abandoned:
    """A connection on its way out. Exactly one of `keep()` and `drop(reason)` is called, once."""

    connection: Connection
    keep: Callable[[], None]
    drop: Callable[[str], None]
    patience_s: float = PATIENCE_S


class Reaper:
    """A service: `await nursery.start(reaper.run)`. At most `capacity` connections drain or wait at one time."""

    def __init__(self, capacity: int = 128) -> None:
        self._capacity = capacity
        self._held = 0
        self._send: trio.MemorySendChannel[Abandoned] | None = None
        self.kept = 0
        self.dropped = 0

    def __repr__(self) -> str:
        state = f"draining={self._held}" if self._send is not None else "stopped"
        return f"<Reaper {state} kept={self.kept} dropped={self.dropped}>"

    def submit(self, abandoned: Abandoned) -> bool:
        """Take it over if running, not full, and the answer can be short. False: it stays the caller's, to drop."""
        if self._send is None or self._held >= self._capacity or abandoned.connection.left > LARGEST:
            return False
        self._held += 1
        self._send.send_nowait(abandoned)
        return True

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled; then everything it holds is dropped."""
        self._send, receive = trio.open_memory_channel[Abandoned](self._capacity)
        task_status.started()
        try:
            async with trio.open_nursery(strict_exception_groups=True) as draining:
                async for abandoned in receive:
                    draining.start_soon(self._drain, abandoned)
        finally:
            self._send = None
            self._drop_queued(receive)

    async def _drain(self, abandoned: Abandoned) -> None:
        clean = False
        try:
            with trio.move_on_after(abandoned.patience_s):
                clean = await _read_to_end(abandoned.connection)
        finally:
            self._settle(abandoned, clean)

    def _settle(self, abandoned: Abandoned, clean: bool) -> None:
        self._held -= 1
        if clean:
            self.kept += 1
            abandoned.keep()
        else:
            self.dropped += 1
            abandoned.drop("abandoned")

    def _drop_queued(self, receive: trio.MemoryReceiveChannel[Abandoned]) -> None:
        while True:
            try:
                abandoned = receive.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            self._settle(abandoned, clean=False)
        receive.close()


async def _read_to_end(connection: Connection) -> bool:
    """Whether the answer ended within bounds and left a connection that can be used again."""
    drained = 0
    try:
        while drained <= LARGEST:
            whole = await connection.receive()
            reader = connection.reader
            if whole is not None or reader is None:
                return True
            if reader.complete:
                return reader.reusable
            drained += len(reader.take())
    except UpstreamFault:
        pass
    return False

"""Looking for changes of the files in a directory, for as long as somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from watchfiles import awatch

QUIET_MS: Final = 100
"""Changes of files that are so close to each other are one change."""
LONGEST_MS: Final = 1000


async def watch(directory: Path, changed: Callable[[], None]) -> None:
    """Call `changed` at each change in `directory`, until cancelled. The directory and not its files: editors and
    orchestrators exchange them.
    """
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_set_at_end, stop)
        async for _ in awatch(
            directory, watch_filter=None, debounce=LONGEST_MS, step=QUIET_MS, stop_event=stop, recursive=False
        ):
            changed()


async def _set_at_end(stop: trio.Event) -> None:
    """The watching thread cannot be cancelled; it looks at `stop` every `QUIET_MS`."""
    try:
        await trio.sleep_forever()
    finally:
        stop.set()

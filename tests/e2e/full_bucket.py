"""A client limit small enough to be used up by hand, and calls that are over before anything comes back into it.

A profile's rate is a whole number, so a bucket of `BURST` calls gets one back each second. A sequence of calls that
took longer says nothing of the limit: it is made again once all buckets are full.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import pytest
import trio

BURST: Final = 5
LIMIT: Final = {"rps": 1, "burst": BURST}
IN_TIME_S: Final = 0.9
TRIES: Final = 6

T = TypeVar("T")


async def in_time(calls: Callable[[], Awaitable[T]]) -> T:
    """What `calls` came to, from full buckets, in less than a second."""
    for _ in range(TRIES):
        began = trio.current_time()
        came_to = await calls()
        took = trio.current_time() - began
        if took < IN_TIME_S:
            return came_to
        await trio.sleep(BURST + 1)
    pytest.fail(f"a few calls took {took:.1f} s, {TRIES} times")

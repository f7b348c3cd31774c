"""What is fuzzed: a place where bytes that others wrote come in.

A surface takes one input at a time and says in a word what became of it. It catches what its code declares to raise,
and nothing else: whatever comes out of `feed` is a finding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import attrs

Feed = Callable[[bytes], str]
AsyncFeed = Callable[[bytes], Awaitable[str]]
Opened = Callable[[], AbstractAsyncContextManager[AsyncFeed]]
"""Makes what inputs are fed to, in virtual time; it lives for many of them."""


class Finding(Exception):
    """Something that must not be: an accident that was contained, a task that does not end, an answer that is none."""


@attrs.frozen
class Surface:
    """Exactly one of `feed` and `opened`. `tokens`: pieces that mean something to the reader."""

    name: str
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    feed: Feed | None = None
    opened: Opened | None = None


AsyncFeeds = AsyncIterator[AsyncFeed]

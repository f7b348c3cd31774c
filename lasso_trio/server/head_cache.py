"""Parsed heads under their raw bytes, bounded in number and in bytes.

Two generations: what is asked for moves to (or stays in) the young one; when the young one is full it becomes the old
one, and what nobody asked for since is dropped with the old old one. So a flood of heads that never repeat pushes out
other such heads and not the hot ones, and every operation is a dictionary look-up.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.server.http_head import Head

MAX_ENTRIES: Final = 4_096
MAX_CACHED_HEAD_BYTES: Final = 2_048
MAX_BYTES: Final = 2_097_152


class HeadCache:
    """At most `entries` heads and about `size` bytes of raw heads; a head above 2 KiB is not kept."""

    __slots__ = ("_bytes", "_half", "_half_bytes", "_old", "young")

    def __init__(self, entries: int = MAX_ENTRIES, size: int = MAX_BYTES) -> None:
        self._half = max(1, entries // 2)
        self._half_bytes = size // 2
        self._bytes = 0
        self.young: dict[bytes, Head] = {}
        """The hot generation: readers may look here first, without a call. Do not keep it: it is replaced."""
        self._old: dict[bytes, Head] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def get(self, raw: bytes) -> Head | None:
        head = self.young.get(raw)
        if head is None:
            head = self._old.pop(raw, None)
            if head is not None:
                self._put_young(raw, head)
        return head

    def put(self, raw: bytes, head: Head) -> None:
        if len(raw) <= MAX_CACHED_HEAD_BYTES:
            self._put_young(raw, head)

    def _put_young(self, raw: bytes, head: Head) -> None:
        if len(self.young) >= self._half or self._bytes + len(raw) > self._half_bytes:
            self._old = self.young
            self.young = {}
            self._bytes = 0
        self.young[raw] = head
        self._bytes += len(raw)

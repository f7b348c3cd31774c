"""The node's log as it was written: which lines of it tell something to the checklist. Large files from both ends."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable
from errno import EBADF
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from lasso_trio.check.caller import short
from lasso_trio.check.facts import LogSeen
from lasso_trio.check.order import STDIN
from lasso_trio.telemetry.call_record import EVENT

HEAD_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 8 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
LOADED: Final = "Loaded profile: "
STARTED: Final = "node.ready"


def read_log(name: str, prefix: str) -> LogSeen:
    """`name`: a file, or `-` for stdin. `prefix`: how request ids of our own begin. Raises OSError.

    Blocks, for stdin as long as somebody may still write to it; whoever has no time may leave it behind.
    """
    data = _stdin() if name == STDIN else _ends(Path(name))
    return judge_lines(data.splitlines(), prefix)


def _ends(path: Path) -> bytes:
    """The whole file, or its beginning and its end: starts stand at one, calls at the other."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES + TAIL_BYTES)
        size = stream.seek(0, 2)
        if size <= len(head):
            return head
        stream.seek(size - TAIL_BYTES)
        return head[:HEAD_BYTES] + b"\n" + stream.read(TAIL_BYTES)


def _stdin() -> bytes:
    """The same of what cannot be rewound.

    Read below `sys.stdin`: who ends while a thread waits there must not meet the lock of its buffer.
    """
    if sys.stdin is None:
        raise OSError(EBADF, "there is no standard input")
    ends, file = Ends(HEAD_BYTES, TAIL_BYTES), sys.stdin.fileno()
    while piece := os.read(file, PIECE_BYTES):
        ends.add(piece)
    return ends.joined


@attrs.define(eq=False)
class Ends:
    """The first `head` bytes of what comes in pieces, and the last `tail` (up to one piece more)."""

    head: int
    tail: int
    _first: bytearray = attrs.field(factory=bytearray, init=False)
    _last: deque[bytes] = attrs.field(factory=deque, init=False)
    _kept: int = attrs.field(default=0, init=False)
    _has_gap: bool = attrs.field(default=False, init=False)

    def add(self, piece: bytes) -> None:
        room = self.head - len(self._first)
        self._first += piece[:room]
        if rest := piece[room:]:
            self._last.append(rest)
            self._kept += len(rest)
        while self._last and self._kept - len(self._last[0]) >= self.tail:
            self._kept -= len(self._last.popleft())
            self._has_gap = True

    @property
    def joined(self) -> bytes:
        """With a line end where something was left out."""
        return bytes(self._first) + (b"\n" if self._has_gap else b"") + b"".join(self._last)


def judge_lines(lines: Iterable[bytes], prefix: str = "") -> LogSeen:
    """Pure. Lines that are no JSON object are passed over: others may write there too."""
    seen, loaded = LogSeen(), list[str]()
    for row in filter(None, map(_row, lines)):
        event = str(row.get("event", ""))
        seen = attrs.evolve(seen, lines=seen.lines + 1, started=seen.started or event == STARTED)
        if event.startswith(LOADED):
            loaded.append(event.removeprefix(LOADED))
        elif event == EVENT:
            seen = _with_call(seen, row, prefix)
        if row.get("level") in ("error", "critical"):
            seen = attrs.evolve(seen, errors=seen.errors + 1, error_example=seen.error_example or short(event))
    return attrs.evolve(seen, loaded=tuple(loaded))


def _row(line: bytes) -> dict[str, Any] | None:
    start = line.find(b"{")  # `docker compose logs` writes the service before it
    if start < 0:
        return None
    try:
        row = msgspec.json.decode(line[start:])
    except (msgspec.DecodeError, RecursionError):
        return None
    return row if isinstance(row, dict) and "event" in row else None


def _with_call(seen: LogSeen, row: dict[str, Any], prefix: str) -> LogSeen:
    """Ours rather than another's, one with a provider rather than one that the node answered, the newest of these."""
    routing = row.get("routing")
    has_provider = isinstance(routing, dict) and routing.get("selected_provider") is not None
    is_ours = bool(prefix) and str(row.get("request_id", "")).startswith(prefix)
    if has_provider and (is_ours or not seen.is_ours):
        return attrs.evolve(seen, call=row, is_ours=is_ours or seen.is_ours)
    return seen

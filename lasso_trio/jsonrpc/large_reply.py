"""Replies too large to hold: recognised by their opening, passed through in pieces, with the id exchanged on the way.

Only the opening and the closing bytes can be checked: what lies between has left before the end is known. So an
opening must leave no doubt that a result follows, and everything that is not so plain is held and checked whole. The
last bytes are kept back until the end, because some nodes put the id behind the result.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from lasso_trio.jsonrpc.reply import BrokenReply

HELD_BACK: Final = 96
"""Enough for `,"id":<int64>}` and some white space."""

_VERSION: Final = rb'\s*"jsonrpc"\s*:\s*"2\.0"\s*,'
_RESULT: Final = rb'\s*"result"\s*:\s*(?=[\[{"])'


def _id(id_: int) -> bytes:
    return rb'\s*"id"\s*:\s*(%d)\s*,' % id_


@attrs.define(eq=False)
class LargeReply:
    """The state of one reply passing through. `growth` is what the answer's length differs by from the reply's."""

    id: bytes
    client_id: bytes
    id_at_end: bool
    first: bytes
    _held: bytes = b""

    @property
    def growth(self) -> int:
        return len(self.client_id) - len(self.id)

    def feed(self, chunk: bytes) -> bytes:
        """What may leave now that `chunk` has come. May be empty."""
        text = self._held + chunk
        keep = min(HELD_BACK, len(text))
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self, extra: bytes = b"") -> bytes:
        """The held-back rest, with `extra` members before the closing brace. Raises BrokenReply."""
        tail = self._held.rstrip(b" \t\r\n")
        if not tail.endswith(b"}"):
            raise BrokenReply("invalid_json")
        if self.id_at_end:
            tail = self._exchange_id(tail)
        trailing_space = self._held[len(self._held.rstrip(b" \t\r\n")) :]
        return tail[:-1] + extra + b"}" + trailing_space

    def _exchange_id(self, tail: bytes) -> bytes:
        match = re.search(rb',\s*"id"\s*:\s*(-?\d+)\s*\}$', tail)
        if match is None or match[1] != self.id:
            raise BrokenReply("id_mismatch")
        return tail[: match.start(1)] + self.client_id + tail[match.end(1) :]


def recognise(first: bytes, id_: int, client_id: bytes) -> LargeReply | None:
    """The reply that begins with `first`, ready to pass through; None if its opening leaves any doubt."""
    sent = b"%d" % id_
    member = _id(id_)
    for opening in (rb"\s*\{" + _VERSION + member + _RESULT, rb"\s*\{" + member + _VERSION + _RESULT):
        match = re.match(opening, first)
        if match:
            start, end = match.span(1)
            return _opened(LargeReply(sent, client_id, False, b""), first[:start] + client_id + first[end:])
    if re.match(rb"\s*\{" + _VERSION + _RESULT, first):
        return _opened(LargeReply(sent, client_id, True, b""), first)
    return None


def _opened(reply: LargeReply, text: bytes) -> LargeReply:
    reply.first = reply.feed(text)
    return reply

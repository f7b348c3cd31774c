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

_S: Final = rb"[ \t\r\n]*"
_VERSION: Final = rb'%b"jsonrpc"%b:%b"2\.0"%b,' % (_S, _S, _S, _S)
_ID: Final = rb'%b"id"%b:%b(\d+)%b,' % (_S, _S, _S, _S)
_RESULT: Final = rb'%b"result"%b:%b(?=[\[{"])' % (_S, _S, _S)
_OPENINGS: Final = tuple(
    re.compile(_S + rb"\{" + members + _RESULT) for members in (_VERSION + _ID, _ID + _VERSION, _VERSION + rb"()")
)
_ID_AT_END: Final = re.compile(rb',%b"id"%b:%b(\d+)%b\}\Z' % (_S, _S, _S, _S))


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
        match = _ID_AT_END.search(tail)
        if match is None or match[1] != self.id:
            raise BrokenReply("id_mismatch")
        return tail[: match.start(1)] + self.client_id + tail[match.end(1) :]


def recognise(first: bytes, id_: int, client_id: bytes) -> LargeReply | None:
    """The reply that begins with `first`, ready to pass through; None if its opening leaves any doubt."""
    sent = b"%d" % id_
    match = next(filter(None, (opening.match(first) for opening in _OPENINGS)), None)
    if match is None or match[1] not in (sent, b""):
        return None
    if not match[1]:
        return _opened(LargeReply(sent, client_id, True, b""), first)
    start, end = match.span(1)
    return _opened(LargeReply(sent, client_id, False, b""), first[:start] + client_id + first[end:])


def _opened(reply: LargeReply, text: bytes) -> LargeReply:
    reply.first = reply.feed(text)
    return reply

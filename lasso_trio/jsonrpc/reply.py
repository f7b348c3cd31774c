"""Upstream replies: checked strictly, passed on byte for byte, with only the id exchanged.

A reply is good when it is one JSON object with `jsonrpc` "2.0", the id we sent, and exactly one of `result` and
`error`, no member twice, and nothing behind it. What a client gets is the reply's own text with its id in place of
ours: key order, number spelling and unknown members survive. The common layout is recognised by its first bytes;
every other one is walked member by member, with the lengths that the JSON decoder found, so cost does not grow with
the result.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.deep_json import is_json

_ABSENT: Final = Raw(b"")


class BrokenReply(LassoError):
    """The provider's fault. `reason`: invalid_json, unsupported_version, id_mismatch, unexpected_notification,
    unexpected_batch, invalid_envelope."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ErrorObject(msgspec.Struct):
    """A JSON-RPC error as an upstream spelt it. `data` stays text."""

    code: int
    message: Any = ""
    data: Raw = _ABSENT

    @property
    def text(self) -> str:
        return self.message if isinstance(self.message, str) else ""


@attrs.define(eq=False)
class Reply:
    """`before` + the client's id + `after` is the answer. `error` is set when the upstream answered with one."""

    before: bytes
    after: bytes
    error: ErrorObject | None
    result_size: int
    result_first: int = 0
    """The first byte of the result's text, which tells its type; 0 when there is no result."""

    def splice(self, id_: bytes) -> bytes:
        return b"%b%b%b" % (self.before, id_, self.after)


class _Envelope(msgspec.Struct, gc=False):
    jsonrpc: Raw = _ABSENT
    id: Raw = _ABSENT
    result: Raw = _ABSENT
    error: Raw = _ABSENT
    method: Raw = _ABSENT


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_error = msgspec.json.Decoder(ErrorObject).decode

_DEEPEST: Final = 4096
"""Levels of nesting in a reply that the decoder does not follow."""

_COMMON_BEFORE: Final = b'{"jsonrpc":"2.0","id":'
_COMMON_RESULT: Final = b',"result":'
_COMMON_OVERHEAD: Final = len(_COMMON_BEFORE) + len(_COMMON_RESULT) + 1


def encode_request(id_: int, method: bytes, params: bytes) -> bytes:
    """A request with an id of our own: real nodes refuse ids beyond int64, fractions and more."""
    return b'{"jsonrpc":"2.0","id":%d,"method":%b,"params":%b}' % (id_, method, params)


def check(body: bytes, id_: int) -> Reply:
    """The reply in `body` to our request `id_`. Raises BrokenReply."""
    if not body.isascii():
        _check_utf8(body)
    try:
        envelope = _decode(body)
    except msgspec.DecodeError:
        raise BrokenReply(_why_undecodable(body)) from None
    except RecursionError:
        envelope = _decode_deep(body)
    sent = b"%d" % id_
    result = bytes(envelope.result)
    size = len(result)
    # Nothing but the three members of a success in the usual order fits into exactly this length.
    if len(body) == _COMMON_OVERHEAD + len(sent) + size and body.startswith(_COMMON_BEFORE + sent + _COMMON_RESULT):
        return Reply(_COMMON_BEFORE, body[len(_COMMON_BEFORE) + len(sent) :], None, size, result[0])
    return _check_members(body, envelope, sent)


def _decode_deep(body: bytes) -> _Envelope:
    """Call traces nest twice as deep as the calls they tell of, and the EVM allows 1024: more than the decoder may."""
    if not (body.lstrip(b" \t\r\n").startswith(b"{") and is_json(body, _DEEPEST)):
        raise BrokenReply("invalid_json")
    spans = _member_spans(body, None)
    return _Envelope(*(Raw(body[slice(*spans.get(name.encode(), (0, 0)))]) for name in _Envelope.__struct_fields__))


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise BrokenReply("invalid_json") from None


def _why_undecodable(body: bytes) -> str:
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return "invalid_json"
    try:
        msgspec.json.decode(body, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return "invalid_json"
    return "unexpected_batch"


def _check_members(body: bytes, envelope: _Envelope, sent: bytes) -> Reply:
    spans = _member_spans(body, envelope)
    version, found = bytes(envelope.jsonrpc), bytes(envelope.id)
    result, error = bytes(envelope.result), bytes(envelope.error)
    if version != b'"2.0"':
        raise BrokenReply("unsupported_version")
    if bytes(envelope.method) and not found:
        raise BrokenReply("unexpected_notification")
    if bool(result) == bool(error) and not (result and error == b"null"):
        # Some old nodes send `"error":null` beside a result; anything else with both or neither is no answer.
        raise BrokenReply("invalid_envelope")
    refused = None if result else _error_object(error)
    if found != sent and not (refused is not None and found in (b"null", b"")):
        raise BrokenReply("id_mismatch")
    if not found:
        start = body.index(b"{") + 1
        return Reply(body[:start] + b'"id":', b"," + body[start:], refused, len(result))
    start, end = spans[b"id"]
    return Reply(body[:start], body[end:], refused, len(result), result[0] if result else 0)


def _error_object(text: bytes) -> ErrorObject:
    try:
        return _decode_error(text)
    except (msgspec.DecodeError, RecursionError):  # no error tells anybody anything in a thousand levels
        raise BrokenReply("invalid_envelope") from None


_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_SCALAR: Final = re.compile(rb"[^,}\] \t\r\n]+")
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
_KNOWN: Final = {b"jsonrpc", b"id", b"result", b"error", b"method"}


def _member_spans(body: bytes, envelope: _Envelope | None) -> dict[bytes, tuple[int, int]]:
    """Where the value of each top-level member stands. `body` is known to be one well-formed JSON object.

    A member that stands twice is a broken envelope (the decoder took the last one; others take the first).
    """
    spans: dict[bytes, tuple[int, int]] = {}
    at = _skip_space(body, body.index(b"{") + 1)
    while body[at] != 0x7D:  # }
        key_end = _end_of_string(body, at)
        key = _key(body[at:key_end])
        if key in spans:
            raise BrokenReply("invalid_envelope")
        start = _skip_space(body, _skip_space(body, key_end) + 1)
        end = start + _length(body, start, key, envelope)
        spans[key] = (start, end)
        at = _skip_space(body, end)
        if body[at] == 0x2C:  # ,
            at = _skip_space(body, at + 1)
        elif body[at] != 0x7D:
            raise BrokenReply("invalid_envelope")  # a number of which a later one of the same name is the beginning
    return spans


def _key(text: bytes) -> bytes:
    if b"\\" not in text:
        return text[1:-1]
    name: str = msgspec.json.decode(text, type=str)
    return name.encode("utf-8", "surrogatepass")


def _length(body: bytes, start: int, key: bytes, envelope: _Envelope | None) -> int:
    if envelope is not None and key in _KNOWN:
        value = bytes(getattr(envelope, key.decode()))
        # The decoder keeps the last of two equal members: if this is not its text, there is another one.
        if body[start : start + len(value)] != value:
            raise BrokenReply("invalid_envelope")
        return len(value)
    return _end_of_value(body, start) - start


def _end_of_value(body: bytes, at: int) -> int:
    first = body[at : at + 1]
    if first == b'"':
        return _end_of_string(body, at)
    if first not in (b"{", b"["):
        scalar = _SCALAR.match(body, at)
        return scalar.end() if scalar else at
    depth = 0
    for token in _TOKEN.finditer(body, at):
        mark = body[token.start()]
        depth += 1 if mark in b"{[" else -1 if mark in b"}]" else 0
        if depth == 0:
            return token.end()
    raise BrokenReply("invalid_json")


def _end_of_string(body: bytes, at: int) -> int:
    match = _STRING.match(body, at)
    if match is None:
        raise BrokenReply("invalid_json")
    return match.end()


def _skip_space(body: bytes, at: int) -> int:
    match = _SPACE.match(body, at)
    return match.end() if match else at

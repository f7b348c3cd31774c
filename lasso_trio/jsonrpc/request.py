"""JSON-RPC requests as clients send them: one strict pass, with id and params kept as the bytes they came as.

The id is never parsed: 2^63, "abc", 1.0 and null come back exactly as they came. Params are not parsed either; they go
upstream as they are. JSON-RPC 2.0: https://www.jsonrpc.org/specification
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.jsonrpc.errors import NULL_ID, RpcError, bad_id, invalid_request, parse_error
from lasso_trio.jsonrpc.methods import Method, lookup

_ABSENT: Final = Raw(b"")
_EMPTY_PARAMS: Final = b"[]"


class _Envelope(msgspec.Struct, gc=False):
    method: Raw = _ABSENT
    id: Raw = _ABSENT
    params: Raw = _ABSENT
    jsonrpc: Raw = _ABSENT


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_any = msgspec.json.Decoder(Raw).decode
_decode_string = msgspec.json.Decoder(str).decode


@attrs.define(eq=False)
class Request:
    """One call. `id` is the client's text, or None for a notification; `params` is the text of a JSON array."""

    method: Method
    params: bytes
    id: bytes | None

    @property
    def reply_id(self) -> bytes:
        return NULL_ID if self.id is None else self.id


@attrs.frozen(eq=False)
class Invalid:
    """What stood where a request should have been: the error to answer, and the id if one could be made out."""

    error: RpcError
    id: bytes = NULL_ID


def decode(body: bytes, most_items: int | None = None) -> Request | Invalid | list[Request | Invalid]:
    """A request, or a list for a batch. Raises RpcError: -32700 when `body` is not JSON at all, -32600 for too many."""
    if not body.isascii():
        _check_utf8(body)
    if body[:1] == b"{":
        return _decode_one(body)
    start = body.lstrip(b" \t\r\n")
    return _decode_batch(body, most_items) if start[:1] == b"[" else _decode_one(body)


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise parse_error() from None


def _decode_batch(body: bytes, most_items: int | None) -> list[Request | Invalid]:
    try:
        items = _decode_items(body)
    except (msgspec.DecodeError, RecursionError):
        raise parse_error() from None
    if most_items is not None and len(items) > most_items:  # before a look at each: a body may hold millions of them
        raise invalid_request("batch too large")
    return [_decode_one(bytes(item)) for item in items]


def _decode_one(text: bytes) -> Request | Invalid:
    try:
        envelope = _decode_envelope(text)
    except msgspec.ValidationError:
        return _no_object(text)
    except (msgspec.DecodeError, RecursionError):
        raise parse_error() from None
    return _check(envelope)


def _no_object(text: bytes) -> Invalid:
    """The decoder gives up at the first byte of what is no object; it may still not be JSON. Raises RpcError."""
    try:
        _decode_any(text)
    except (msgspec.DecodeError, RecursionError):
        raise parse_error() from None
    return Invalid(invalid_request())


def _check(envelope: _Envelope) -> Request | Invalid:
    id_: bytes | None = bytes(envelope.id)
    if not id_:
        id_ = None
    elif id_[0] in b"{[tf":
        return Invalid(bad_id("id must be a string, a number or null"))
    version = bytes(envelope.jsonrpc)
    if version != b'"2.0"' and version and _text(version) != "2.0":
        return Invalid(invalid_request('jsonrpc must be "2.0"'), id_ or NULL_ID)
    raw_method = bytes(envelope.method)
    method = _methods.get(raw_method) or _method(raw_method)
    if method is None:
        return Invalid(invalid_request(), id_ or NULL_ID)
    return Request(method, _params(bytes(envelope.params)), id_)


def _params(raw: bytes) -> bytes:
    """Missing or null → `[]`; an array stays; anything else becomes the one element of an array, as the original
    does.
    """
    if raw[:1] == b"[":
        return raw
    if not raw or raw == b"null":
        return _EMPTY_PARAMS
    return b"[" + raw + b"]"


_methods: dict[bytes, Method] = {}
_METHODS_KEPT: Final = 2048


def _method(raw: bytes) -> Method | None:
    name = _text(raw)
    if not name:
        return None
    method = lookup(name, raw)
    if method.row != "other" and len(_methods) < _METHODS_KEPT:
        _methods[raw] = method
    return method


def _text(raw: bytes) -> str | None:
    """The string that a JSON text spells, or None when it spells something else."""
    if raw[:1] != b'"':
        return None
    try:
        return _decode_string(raw)
    except msgspec.DecodeError:
        return None

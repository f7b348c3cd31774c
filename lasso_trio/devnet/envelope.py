"""JSON-RPC in and out, as a node does it: bad JSON is -32700, a bad request -32600, notifications get no answer.

Ids are spliced back as the bytes they came in. Members are ordered `jsonrpc, id, result`, as geth and anvil have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.faults import Failure, Kind
from lasso_trio.devnet.json_types import Json

_NULL: Final = b"null"
_WRONG_ID: Final = b"987654321"
_INVALID: Final = NodeError(-32600, "invalid request")
_UNPARSED: Final = NodeError(-32700, "parse error")


class _Envelope(msgspec.Struct):
    method: str
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    params: Json = None


@attrs.frozen
class Call:
    """`id` is raw JSON, None for a notification; `method` is None when the request is invalid."""

    id: bytes | None
    method: str | None
    params: Json = None


@attrs.frozen
class Incoming:
    """One body: a call, or a batch of them. No calls at all: the body was not JSON, or an empty batch."""

    calls: tuple[Call, ...]
    size: int = 0
    """In bytes."""
    is_batch: bool = False
    refusal: NodeError | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(call.method for call in self.calls if call.method is not None)


_decode_call: Final = msgspec.json.Decoder(_Envelope).decode
_decode_batch: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def decode(body: bytes) -> Incoming:
    if body.lstrip()[:1] != b"[":
        return _decode_one(body)
    try:
        items = _decode_batch(body)
    except (msgspec.DecodeError, RecursionError):
        return Incoming((), len(body), refusal=_UNPARSED)
    if not items:
        return Incoming((), len(body), refusal=NodeError(-32600, "empty batch"))
    return Incoming(tuple(_decode_one(bytes(item)).calls[0] for item in items), len(body), is_batch=True)


def answer(incoming: Incoming, result: Callable[[Call], Json], failure: Failure | None = None) -> bytes:
    """The body of the answer; empty when there were only notifications.

    `result` gives a call's result or raises `NodeError`. `failure` spoils the answers to the methods it concerns, if it
    is of a kind that lives inside JSON.
    """
    if incoming.refusal is not None:
        return _spell(_NULL, error=incoming.refusal)
    answers = [spelled for call in incoming.calls if (spelled := _answer_one(call, result, failure))]
    return b"[" + b",".join(answers) + b"]" if incoming.is_batch and answers else b"".join(answers)


def notification(subscription: str, result: Json) -> bytes:
    params = _encode({"subscription": subscription, "result": result})
    return b'{"jsonrpc":"2.0","method":"eth_subscription","params":' + params + b"}"


def _decode_one(body: bytes) -> Incoming:
    try:
        envelope = _decode_call(body)
    except msgspec.ValidationError:
        return Incoming((Call(_NULL, None),), len(body))
    except (msgspec.DecodeError, RecursionError):
        return Incoming((), len(body), refusal=_UNPARSED)
    id_ = None if envelope.id is msgspec.UNSET else bytes(envelope.id)
    return Incoming((Call(id_, envelope.method, envelope.params),), len(body))


def _answer_one(call: Call, result: Callable[[Call], Json], failure: Failure | None) -> bytes:
    if call.method is None:
        return _spell(_NULL, error=_INVALID)
    kind = failure.kind if failure is not None and failure.concerns((call.method,)) else None
    id_ = _WRONG_ID if kind is Kind.WRONG_ID else call.id
    given = NodeError(failure.code, failure.message, failure.data) if failure else _INVALID
    try:
        if kind is Kind.RPC:
            raise given
        found = _encode(result(call))
    except NodeError as error:
        return _spell(id_, error=error)
    if kind is Kind.NEITHER:
        return b'{"jsonrpc":"2.0","id":' + (id_ or _NULL) + b"}"
    return _spell(id_, found, given if kind is Kind.BOTH else None)


def _spell(id_: bytes | None, result: bytes | None = None, error: NodeError | None = None) -> bytes:
    if id_ is None:
        return b""
    members = [b'"result":' + result] if result is not None else []
    if error is not None:
        members.append(b'"error":' + _encode(error.to_json()))
    return b'{"jsonrpc":"2.0","id":' + id_ + b"," + b",".join(members) + b"}"

"""What a message from an upstream's WebSocket is: an answer to one of our ids, news of a subscription, or neither.

Nothing in it is judged: whether an answer is a good one is for its caller to say. The usual answer, which may be very
large, is recognised by its first bytes; everything else is decoded as far as its members and no deeper. Pure.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
import msgspec
from msgspec import Raw

_ABSENT: Final = Raw(b"")
_USUAL: Final = re.compile(rb'\{"jsonrpc":"2\.0","id":([1-9][0-9]{0,15}),"')
_ID: Final = re.compile(rb"[1-9][0-9]{0,15}")


@attrs.frozen
class Answer:
    """To our request `id`."""

    id: int


@attrs.frozen
class News:
    """Of a subscription; `subscription` is the JSON text of its id, `result` that of what it tells."""

    subscription: bytes
    result: bytes


@attrs.frozen
class Complaint:
    """An error that says to which request it belongs with no id, or a null one."""


@attrs.frozen
class Noise:
    """Not JSON-RPC, or nothing that we asked for in this form."""


Message = Answer | News | Complaint | Noise
_COMPLAINT: Final = Complaint()
_NOISE: Final = Noise()


class _Envelope(msgspec.Struct, gc=False):
    id: Raw = _ABSENT
    method: Raw = _ABSENT
    params: Raw = _ABSENT
    error: Raw = _ABSENT


class _Params(msgspec.Struct, gc=False):
    subscription: Raw
    result: Raw


_decode: Final = msgspec.json.Decoder(_Envelope).decode
_decode_params: Final = msgspec.json.Decoder(_Params).decode


def sent_id(request: bytes) -> int:
    """The id of a request of our own making. Raises ValueError for any other."""
    usual = _USUAL.match(request)
    if usual is None:
        raise ValueError("not a request with an id of ours")
    return int(usual[1])


def read(message: bytes) -> Message:
    """Never raises."""
    usual = _USUAL.match(message)
    if usual is not None:
        return Answer(int(usual[1]))
    try:
        envelope = _decode(message)
        if bytes(envelope.method):
            if not message.isascii():
                message.decode()  # clients get it as it is, and as text: binary messages may hold anything
            return _news(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOISE
    id_ = bytes(envelope.id)
    if _ID.fullmatch(id_):
        return Answer(int(id_))
    return _COMPLAINT if id_ in (b"", b"null") and bytes(envelope.error) not in (b"", b"null") else _NOISE


def _news(envelope: _Envelope) -> Message:
    if bytes(envelope.method) != b'"eth_subscription"':
        return _NOISE
    params = _decode_params(envelope.params)
    return News(bytes(params.subscription), bytes(params.result))

"""The logs of an upstream's answer, each with its place and its own text, and an answer made of many such texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.log_filter import LogQuery
from lasso_trio.routing.split import Log, Part

_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


class BadLogs(LassoError):
    """The result is no list of logs of the blocks that were asked for."""


class _Envelope(msgspec.Struct, gc=False):
    result: list[Raw]


class _Place(msgspec.Struct, rename="camel", gc=False):
    block_number: str
    log_index: str
    block_hash: str


_decode: Final = msgspec.json.Decoder(_Envelope).decode
_decode_place: Final = msgspec.json.Decoder(_Place).decode


def read_part(query: LogQuery, reply: Reply) -> Part:
    """What `reply` (a result) tells of `query`, in order. Raises BadLogs."""
    try:
        texts = [bytes(raw) for raw in _decode(reply.splice(b"0")).result]
        logs = [_log(text) for text in texts]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadLogs("not a list of mined logs") from None
    if any(not query.first <= log.block <= query.last for log in logs):
        raise BadLogs("logs of blocks that were not asked for")
    logs.sort(key=lambda log: (log.block, log.index))
    return Part(query, tuple(logs))


def _log(text: bytes) -> Log:
    place = _decode_place(text)
    return Log(int(place.block_number, 16), int(place.log_index, 16), place.block_hash, text)


def answer(logs: Sequence[Log]) -> Reply:
    """A result that holds the logs' own texts."""
    result = b"[%b]" % b",".join([log.text for log in logs])
    return Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0])

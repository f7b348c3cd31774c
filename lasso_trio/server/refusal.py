"""Why a request was refused before anybody looked at its meaning.

The decision travels with the error: `status` is what HTTP says, `kind` the word by which whoever shapes the answer
(JSON-RPC on the rpc lane) picks its text.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    BAD_REQUEST = "bad_request"  # 400: malformed, or ambiguous enough to smuggle something
    TIMEOUT = "timeout"  # 408: the head or the body came too slowly
    BODY_TOO_LARGE = "body_too_large"  # 413
    BAD_ENCODING = "bad_encoding"  # 415: a Content-Encoding that we do not undo
    EXPECTATION = "expectation"  # 417: an Expect other than 100-continue
    HEAD_TOO_LARGE = "head_too_large"  # 431
    CRASHED = "crashed"  # 500: the handler failed
    NOT_IMPLEMENTED = "not_implemented"  # 501: a Transfer-Encoding other than chunked
    NO_CAPACITY = "no_capacity"  # 503: the node's byte budget is used up
    RESTARTING = "restarting"  # 503: a WebSocket client came while the node drains


class BadRequest(Exception):
    """The bytes of this request will not be served, nor anything after them on this connection."""

    def __init__(self, status: int, kind: Kind, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.kind = kind
        self.reason = reason


def malformed(reason: str) -> BadRequest:
    return BadRequest(400, Kind.BAD_REQUEST, reason)


def body_too_large() -> BadRequest:
    return BadRequest(413, Kind.BODY_TOO_LARGE, "request body too large")

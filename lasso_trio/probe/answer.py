"""What one HTTP exchange told: a result, an error of the node, a throttle, a silence or a failure. Pure.

Whether an error of the node is a refusal, and of what, is for whoever asked: only what is about the endpoint as a whole
(it is tired of us, it lacks a key, it is no JSON-RPC server) is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs
import msgspec

from lasso_trio.providers.classify import ErrorClass, Verdict, classify
from lasso_trio.providers.retry_after import retry_after

LONGEST_TEXT: Final = 300


class Told(StrEnum):
    RESULT = "result"
    ERROR = "error"
    """A JSON-RPC error that is about the call."""
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    FAILED = "failed"
    """No answer, or none that is JSON-RPC; or the door is closed to us (keys, bills)."""
    LARGE = "large"
    """A result was on its way that is larger than we care to read."""


@attrs.frozen
class Answer:
    """`seconds`: from the first byte sent to the last received. `headers`: the answer's, names in small letters."""

    told: Told
    result: Any = None
    code: int | None = None
    text: str = ""
    verdict: Verdict | None = None
    seconds: float = 0.0
    headers: Mapping[str, str] = attrs.field(factory=dict)
    http_version: str = ""
    wait_s: float | None = None
    """How long it wants to be left alone."""

    @property
    def good(self) -> bool:
        return self.told is Told.RESULT

    @property
    def words(self) -> str:
        """For people; may hold what the endpoint chose to say, so it is cleaned before it is shown."""
        if self.told is Told.ERROR and self.code is not None:
            return f"{self.code} {self.text}"
        return self.text or self.told.value


class _Error(msgspec.Struct):
    code: int
    message: str = ""
    data: Any = None


class _Reply(msgspec.Struct):
    result: Any = msgspec.UNSET
    error: _Error | None = None


def read(status: int, body: bytes, headers: Mapping[str, str], wall: float) -> Answer:
    """The answer to one call. `wall`: Unix time now, for a date in Retry-After."""
    try:
        reply = msgspec.json.decode(body, type=_Reply)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _without_reply(status, body, headers, wall)
    if reply.error is not None:
        return _refusal(status, reply.error, headers, wall)
    if reply.result is msgspec.UNSET or not 200 <= status < 300:
        return _without_reply(status, body, headers, wall)
    return Answer(Told.RESULT, reply.result, headers=headers)


def read_batch(status: int, body: bytes, headers: Mapping[str, str], wall: float, size: int) -> Answer:
    """The answer to a batch of `size` calls: a result when each of them has one."""
    try:
        replies = msgspec.json.decode(body, type=list[_Reply])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        single = read(status, body, headers, wall)
        return attrs.evolve(single, told=Told.ERROR, text="one answer for the batch") if single.good else single
    for reply in replies:
        if reply.error is not None:
            return _refusal(status, reply.error, headers, wall)
    if len(replies) == size:
        return Answer(Told.RESULT, size, headers=headers)
    return Answer(Told.ERROR, text=f"{len(replies)} answers to {size} calls", headers=headers)


def _refusal(status: int, error: _Error, headers: Mapping[str, str], wall: float) -> Answer:
    verdict = classify(status, error.code, error.message, error.data)
    told = _told(verdict) if 200 <= status < 500 else Told.FAILED
    return Answer(
        told,
        code=error.code,
        text=error.message[:LONGEST_TEXT],
        verdict=verdict,
        headers=headers,
        wait_s=_wait(headers, error.data, error.message, wall),
    )


def _without_reply(status: int, body: bytes, headers: Mapping[str, str], wall: float) -> Answer:
    start = body[:2048].decode("utf-8", "replace")
    verdict = classify(status, None, start, None)
    told = Told.THROTTLED if status == 429 or verdict.error_class in _TIRED else Told.FAILED
    if status < 300:
        text = f"no JSON-RPC answer: {start[:60]!r}" if start.strip() else "an empty answer"
    else:
        text = f"HTTP {status}"
    return Answer(told, text=text, verdict=verdict, headers=headers, wait_s=_wait(headers, None, start, wall))


_TIRED: Final = frozenset({ErrorClass.RATE_LIMIT, ErrorClass.QUOTA})


def _told(verdict: Verdict) -> Told:
    if verdict.error_class in _TIRED:
        return Told.THROTTLED
    return Told.FAILED if verdict.error_class is ErrorClass.AUTH else Told.ERROR


def _wait(headers: Mapping[str, str], data: object, text: str, wall: float) -> float | None:
    return retry_after(headers.get("retry-after"), data, text, wall)

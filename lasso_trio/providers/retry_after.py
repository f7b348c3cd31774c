"""When a provider says to come back: from its headers, its error data, or its words.

Pure. Every function gives seconds from now (≥ 0), or None when nothing usable is said; none of them raises on what a
provider may send. How far a hint is obeyed is for `cooldown` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

import msgspec

MAX_TEXT_CHARS: Final = 2048

_SMALLEST_INSTANT: Final = 1e9
_SMALLEST_INSTANT_MS: Final = 1e11
_NUMBER = re.compile(r"\s*(\d{1,13}(?:\.\d{1,9})?)\s*\Z")
_PHRASE = re.compile(
    r"(?:\A\s*in|\b(?:try again|retry|retry[- ]after|wait|back ?off|available again|resets?)\b\D{0,40}?)"
    r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_IN_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_KEYS_S: Final = ("backoff_seconds", "retry_after", "retry-after", "retryAfter", "Retry-After", "retry_after_seconds")
_KEYS_MS: Final = ("retry_after_ms", "retryAfterMs")


Header = Callable[[bytes], bytes | None]
"""The value of a header by its name in lower case."""


def retry_after(header: bytes | str | None, data: object, message: str, wall: float) -> float | None:
    """The hint in an answer: the header's if there is one, else the error data's, else the message's.

    `header`: the value of `Retry-After`. `data`: the `error.data`, decoded or as JSON text (bytes, `msgspec.Raw`).
    `wall`: seconds since 1970, for headers that name a date.
    """
    if header is not None and (seconds := from_header(header, wall)) is not None:
        return seconds
    seconds = from_data(data)
    return from_message(message) if seconds is None else seconds


def from_window(header: Header, wall: float) -> float | None:
    """`X-RateLimit-Reset` and `RateLimit-Reset`, when nothing remains of the window that they are about.

    There is no standard for the first: a delay in seconds, or an instant in seconds or milliseconds since 1970, told
    apart by size. The draft of the HTTP API working group (RateLimit headers) says a delay.
    """
    for prefix in (b"x-ratelimit-", b"ratelimit-"):
        reset, remaining = header(prefix + b"reset"), header(prefix + b"remaining")
        if reset is None or (remaining is not None and (number_in(remaining) or 0.0) > 0):
            continue  # something remains: another limit was met than the one described
        number = number_in(reset)
        if number is not None:
            return number if number < _SMALLEST_INSTANT else max(0.0, _instant(number) - wall)
    return None


def _instant(number: float) -> float:
    return number / 1000 if number >= _SMALLEST_INSTANT_MS else number


def number_in(value: bytes | str) -> float | None:
    """The number that is all of `value`; None for anything else."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    found = _NUMBER.match(text[:64])
    return None if found is None else float(found[1])


def from_header(value: bytes | str, wall: float) -> float | None:
    """RFC 9110 §10.2.3: delay in seconds (fractions tolerated) or an HTTP date. A date that has passed means 0."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text = text[:64]
    if (seconds := number_in(text)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000" and asctime dates: HTTP knows only GMT
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(wall, UTC)).total_seconds())


def from_data(data: object) -> float | None:
    """A number (or text holding one) under a known name, at the top or under `rate` (Infura)."""
    if isinstance(data, bytes | msgspec.Raw):
        data = decoded(data)
    if not isinstance(data, Mapping):
        return None
    for keys, unit in ((_KEYS_S, 1.0), (_KEYS_MS, 0.001)):
        for key in keys:
            if (number := number_of(data.get(key))) is not None:
                return number * unit
    rate = data.get("rate")
    return from_data(rate) if isinstance(rate, Mapping) and "rate" not in rate else None


def decoded(data: bytes | msgspec.Raw) -> object:
    """The JSON value, None when it is none."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None


def number_of(value: object) -> float | None:
    """A finite number ≥ 0, or text that is one; None for anything else."""
    if isinstance(value, str):
        return number_in(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12 and isfinite(value):
        return float(value)
    return None


def from_message(message: str) -> float | None:
    """`try again in 3.2 seconds`, `retry after 500ms`, `in 5 minutes` …"""
    found = _PHRASE.search(message[:MAX_TEXT_CHARS])
    if found is None:
        return None
    unit = found[2].lower()
    scale = 0.001 if unit.startswith(("ms", "milli")) else _IN_SECONDS[unit[0]]
    return float(found[1]) * scale

"""When a provider says to come back: from its header, its error data, or its words.

Pure. Every function gives seconds from now (≥ 0), or None when nothing usable is said; none of them raises on what a
provider may send. How far a hint is obeyed is for `cooldown` to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

import msgspec

MAX_TEXT_CHARS: Final = 2048

_NUMBER = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*\Z")
_PHRASE = re.compile(
    r"(?:\A\s*in|\b(?:try again|retry|retry[- ]after|wait|back ?off|available again|resets?)\b\D{0,40}?)"
    r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_IN_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_KEYS_S: Final = ("backoff_seconds", "retry_after", "retry-after", "retryAfter", "Retry-After", "retry_after_seconds")
_KEYS_MS: Final = ("retry_after_ms", "retryAfterMs")


def retry_after(header: bytes | str | None, data: object, message: str, wall: float) -> float | None:
    """The hint in an answer: the header's if there is one, else the error data's, else the message's.

    `header`: the value of `Retry-After`. `data`: the `error.data`, decoded or as JSON text (bytes, `msgspec.Raw`).
    `wall`: seconds since 1970, for headers that name a date.
    """
    if header is not None and (seconds := from_header(header, wall)) is not None:
        return seconds
    seconds = from_data(data)
    return from_message(message) if seconds is None else seconds


def from_header(value: bytes | str, wall: float) -> float | None:
    """RFC 9110 §10.2.3: delay in seconds (fractions tolerated) or an HTTP date. A date that has passed means 0."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text = text[:64]
    if found := _NUMBER.match(text):
        return float(found[1])
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
        data = _decoded(data)
    if not isinstance(data, Mapping):
        return None
    for keys, unit in ((_KEYS_S, 1.0), (_KEYS_MS, 0.001)):
        for key in keys:
            if (number := _number(data.get(key))) is not None:
                return number * unit
    rate = data.get("rate")
    return from_data(rate) if isinstance(rate, Mapping) and "rate" not in rate else None


def _decoded(data: bytes | msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    if isinstance(value, str) and (found := _NUMBER.match(value)):
        return float(found[1])
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

"""What a provider says about its own limit when it refuses: when to come back, and how many calls it takes.

`retry_after` reads the first; the second is read here: "50/second request limit reached", `allowed_rps` (Infura), a
`RateLimit-Policy`. Only plain numbers of calls count: compute units are not calls. Pure; nothing a provider may send
raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from lasso_trio.providers.retry_after import (
    MAX_TEXT_CHARS,
    Header,
    decoded,
    from_window,
    number_of,
    retry_after,
)

_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SLOWEST_PER_S: Final = 1 / 3600
_FASTEST_PER_S: Final = 1e6
_RATE = re.compile(
    r"(?<![\d.,])(\d{1,7}(?:\.\d{1,6})?)\s*(?:rps\b|(?:requests?|reqs?|calls?)?\s*(?:/|per)\s*(?:a\s+)?(\d{1,5})?\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b)",
    re.IGNORECASE,
)
_POLICY = re.compile(rb"(?:\A|[,;\s])(?:q=)?(\d{1,7})\s*;\s*w\s*=\s*(\d{1,6})\b")
_KEYS: Final = ("allowed_rps", "allowedRps")


@attrs.frozen
class Hint:
    """`seconds`: from now, ≥ 0. `per_second`: the limit in calls per second. None: nothing usable was said."""

    seconds: float | None = None
    per_second: float | None = None


NO_HINT: Final = Hint()


def hint_in(header: Header, data: object, message: str, wall: float) -> Hint:
    """Everything a refusal says about itself. `header` finds a header's value; the others as for `retry_after`.

    When the window of a rate begins anew is believed only when nothing says when to come back.
    """
    if isinstance(data, bytes | msgspec.Raw):
        data = decoded(data)
    seconds = retry_after(header(b"retry-after"), data, message, wall)
    return Hint(from_window(header, wall) if seconds is None else seconds, _rate(header, data, message))


def _rate(header: Header, data: object, message: str) -> float | None:
    for found in (rate_in_data(data), rate_in_message(message), rate_in_policy(header(b"ratelimit-policy"))):
        if found is not None and _SLOWEST_PER_S <= found <= _FASTEST_PER_S:
            return found
    return None


def rate_in_data(data: object) -> float | None:
    """`allowed_rps`, at the top or under `rate`."""
    if not isinstance(data, Mapping):
        return None
    rows = [data, data.get("rate")]
    values = [row.get(key) for row in rows if isinstance(row, Mapping) for key in _KEYS]
    return next((number for value in values if (number := number_of(value)) is not None), None)


def rate_in_message(message: str) -> float | None:
    """`50/second`, `25 requests per second`, `10 rps`, `300 calls/min`, `100 per 10 s`; the first that is there."""
    found = _RATE.search(message[:MAX_TEXT_CHARS])
    if found is None:
        return None
    span = int(found[2] or 1) * (_UNITS_S[found[3][0].lower()] if found[3] else 1.0)
    return float(found[1]) / span if span else None


def rate_in_policy(value: bytes | None) -> float | None:
    """`100;w=60` (draft-ietf-httpapi-ratelimit-headers): the slowest of the policies listed."""
    pairs = [] if value is None else _POLICY.findall(value[:256])
    return min((int(quota) / int(window) for quota, window in pairs if int(window)), default=None)

"""`X-Request-Deadline-Ms`, `X-Lasso-Hedge`, `X-Lasso-Cache`: what a client says of how its call is carried out.

Like the headers of sessions they are relied on, so a value that cannot be read is an error (HTTP 400) and not passed
over. Pure: header values in, values out.
"""

from __future__ import annotations

import re
from math import inf
from typing import Final

from lasso_trio.jsonrpc.errors import INVALID_PARAMS, RpcError

MOST_MS: Final = 600_000
_MS: Final = re.compile(r"[0-9]{1,6}")


def deadline_s(value: str | None) -> float | None:
    """Seconds that the client waits for its answer. Missing or empty: none. Raises RpcError."""
    if not value:
        return None
    ms = _ms(value)
    if ms is None:
        raise _refused("X-Request-Deadline-Ms", f"milliseconds from 1 to {MOST_MS}")
    return ms / 1000


def hedge_s(value: str | None) -> float | None:
    """After how many seconds to hedge, infinity for `off`. Missing or empty: none. Raises RpcError."""
    if not value:
        return None
    if value.lower() == "off":
        return inf
    ms = _ms(value)
    if ms is None:
        raise _refused("X-Lasso-Hedge", f"'off', or milliseconds from 1 to {MOST_MS}")
    return ms / 1000


def bypasses_cache(value: str | None) -> bool:
    """Whether the answer must come from a provider. Missing or empty: no. Raises RpcError."""
    if not value:
        return False
    if value.lower() != "bypass":
        raise _refused("X-Lasso-Cache", "'bypass'")
    return True


def _ms(value: str) -> int | None:
    ms = int(value) if _MS.fullmatch(value) else 0
    return ms if 1 <= ms <= MOST_MS else None


def _refused(name: str, wanted: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"{name} must be {wanted}", status=400, category="invalid_header")

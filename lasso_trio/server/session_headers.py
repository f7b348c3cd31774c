"""`X-Lasso-Session` and `X-Lasso-Min-Block`: what a client wants not to fall behind of.

A client that asks for this relies on it, so a value that cannot be read is an error (HTTP 400) and not passed over.
Pure: header values in, values out.
"""

from __future__ import annotations

import re
from typing import Final

from lasso_trio.jsonrpc.errors import INVALID_PARAMS, RpcError

LONGEST: Final = 64
_SESSION: Final = re.compile(rf"[!-~]{{1,{LONGEST}}}")
_BLOCK: Final = re.compile(r"0[xX]([0-9a-fA-F]{1,16})|([0-9]{1,19})")


def session_name(value: str | None) -> str | None:
    """The session's name: 1 to 64 visible ASCII characters. Missing or empty: none. Raises RpcError."""
    if not value:
        return None
    if _SESSION.fullmatch(value) is None:
        raise _refused("X-Lasso-Session", f"1 to {LONGEST} visible ASCII characters")
    return value


def min_block(value: str | None) -> int | None:
    """A block's number, hex with `0x` or decimal. Missing or empty: none. Raises RpcError."""
    if not value:
        return None
    match = _BLOCK.fullmatch(value)
    if match is None:
        raise _refused("X-Lasso-Min-Block", "a block number, decimal or hex with 0x")
    return int(match[2]) if match[2] else int(match[1], 16)


def _refused(name: str, wanted: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"{name} must be {wanted}", status=400, category="invalid_header")

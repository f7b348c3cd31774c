"""Where a client shows its key or token: in the path, in `X-Lasso-Api-Key`, or in `Authorization: Bearer`.

    /rpc/k/<key>/<anything that may stand behind /rpc/>

The path is for clients that cannot set headers (a browser's WebSocket). It is taken out before anybody else sees the
path. A query is not looked at: queries are written into the logs of whatever stands in between. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lasso_trio.config.secret import MASK

_IN_PATH: Final = re.compile(r"/rpc/k/([^/?]+)/(?=[^/?])")
_ANYWHERE: Final = re.compile(r"(/rpc/k/)[^/?]+")
_BEARER: Final = re.compile(r"bearer +([^ ]+) *", re.IGNORECASE)
LONGEST: Final = 8_192
"""Characters. What is longer is no credential of ours."""


def taken_out(target: str) -> tuple[str, str | None]:
    """`target` (path and query) without the credential in its path, and that."""
    match = _IN_PATH.match(target)
    return (target, None) if match is None else (f"/rpc/{target[match.end() :]}", match[1])


def masked(path: str) -> str:
    """`path` as a log line may have it: what stands where a credential would is no longer there."""
    return _ANYWHERE.sub(rf"\1{MASK}", path)


def shown(in_path: str | None, headers: Mapping[str, str]) -> str | None:
    """The client's credential: the path's, else that of the first of the two headers that has one."""
    given = in_path or headers.get("x-lasso-api-key") or _bearer(headers.get("authorization", ""))
    return given if given and len(given) <= LONGEST else None


def _bearer(value: str) -> str | None:
    """Other schemes (a proxy's own `Basic`) are none of ours."""
    match = _BEARER.fullmatch(value)
    return None if match is None else match[1]

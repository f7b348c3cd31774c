"""Web pages that may call: their origins (RFC 6454), exactly or any subdomain of one. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_HOST: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*(?::[0-9]{1,5})?")


def permits(allowed: Collection[str], origin: str) -> bool:
    """`allowed`: `scheme://host[:port]`, with `*.` before a host for everything below it (not itself); `*`: all."""
    if "*" in allowed or origin in allowed:
        return True
    scheme, _, host = origin.lower().partition("://")
    return any(_is_below(host, scheme, entry) for entry in allowed if "://*." in entry)


def _is_below(host: str, scheme: str, entry: str) -> bool:
    wanted, _, parent = entry.partition("://*")
    return scheme == wanted and host.endswith(parent) and _HOST.fullmatch(host) is not None

"""Where the engine is that nodes share things on: `LASSO_REDIS_URL`, taken apart. Passwords are secrets from here on.

redis://[user][:password]@host[:port][/database]     rediss://… over TLS, checked against the machine's authorities
unix://[user][:password]@/path/to/socket[?db=2]
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import attrs

from lasso_trio.config.secret import Secret
from lasso_trio.config.variables import Variables

NAME: Final = "LASSO_REDIS_URL"
PORT: Final = 6379
SCHEMES: Final = ("redis", "rediss", "unix")
_WRONG: Final = f"{NAME} must be redis://host:port/database, rediss://… or unix:///path"
_NUMBER: Final = re.compile(r"[0-9]{1,5}")


@attrs.frozen
class RedisTerms:
    """`path`: of a Unix socket; then `host` is empty. `str()` is where it is, without user and password."""

    host: str
    port: int = PORT
    path: str = ""
    database: int = 0
    tls: bool = False
    user: str | None = None
    password: Secret | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def read(variables: Variables) -> RedisTerms | None:
    """None when nothing is shared. Mistakes go to the variables' report, without the value: it may hold a password."""
    value = variables.get(NAME)
    if value is None:
        return None
    try:
        return _parsed(urlsplit(value))
    except ValueError:
        variables.report.add(None, _WRONG)
        return None


def _parsed(parts: SplitResult) -> RedisTerms:
    """Raises ValueError."""
    if parts.scheme not in SCHEMES or parts.fragment:
        raise ValueError
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    secret = Secret(password) if password else None
    if parts.scheme == "unix":
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if parts.hostname or not parts.path.strip("/") or options.keys() - {"db"}:
            raise ValueError
        path = unquote(parts.path)
        return RedisTerms("", 0, path, _database(options.get("db", [""])[0]), user=user or None, password=secret)
    if not parts.hostname or parts.query:
        raise ValueError
    database, port = _database(parts.path.strip("/")), PORT if parts.port is None else parts.port
    return RedisTerms(parts.hostname, port, "", database, parts.scheme == "rediss", user or None, secret)


def _database(text: str) -> int:
    if text and not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text or 0)

"""Who may look: everybody, or those with a password. Sessions are signed cookies; the node keeps no list of them.

A session holds the user's name and a mark of the password, so that changing the password ends it, and it ends by
itself after twelve hours. Without `SECRET_KEY_BASE` sessions end with the process. Passwords are compared in constant
time, and a name that does not exist takes as long as one that does.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address
from secrets import token_bytes
from typing import Final

import attrs
from itsdangerous import BadData, URLSafeTimedSerializer

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import LONGEST_PASSWORD, Mode, Settings
from lasso_trio.dashboard.attempts import Attempts

COOKIE: Final = "lasso_dashboard"
PATH: Final = "/dashboard"
SESSION_S: Final = 12 * 3600
LONGEST_COOKIE: Final = 1024


@attrs.define(eq=False)
class Access:
    """`users`: password by name; the one without a name is the empty one. No users: it is open."""

    users: Mapping[str, Secret]
    key: bytes = attrs.field(repr=False)
    attempts: Attempts = attrs.field(factory=Attempts)
    _signer: URLSafeTimedSerializer = attrs.field(init=False, repr=False)

    @_signer.default
    def _make_signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.key, salt="lasso dashboard", signer_kwargs={"digest_method": sha256})

    @classmethod
    def of(cls, settings: Settings) -> Access:
        base, password = settings.secret_key_base, settings.dashboard_password
        users = dict(settings.dashboard_users) | ({} if password is None else {"": password})
        return cls(users, token_bytes(64) if base is None else base.reveal().encode("utf-8", "surrogateescape"))

    @property
    def is_open(self) -> bool:
        return not self.users

    @property
    def named(self) -> bool:
        """Whether users have names."""
        return any(self.users)

    def permits(self, cookie: str) -> bool:
        return self.is_open or self.user(cookie) is not None

    def user(self, cookie: str) -> str | None:
        """Whose session it is; None when it is nobody's (any more)."""
        if not cookie or len(cookie) > LONGEST_COOKIE:
            return None
        try:
            told = self._signer.loads(cookie, max_age=SESSION_S)
        except BadData:
            return None
        if not isinstance(told, list) or len(told) != 2 or not all(isinstance(part, str) for part in told):
            return None
        name, mark = told
        return name if name in self.users and hmac.compare_digest(mark, self._mark(name)) else None

    def login(self, name: str, password: str) -> str | None:
        """The cookie of a new session; None when name and password do not belong together."""
        known = self.users.get(name)
        given = self._digest(password[:LONGEST_PASSWORD])
        right = self._digest(token_bytes(16).hex() if known is None else known.reveal())
        if not hmac.compare_digest(given, right) or known is None:
            return None
        return str(self._signer.dumps([name, self._mark(name)]))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256")

    def _mark(self, name: str) -> str:
        return self._digest(f"session {name} {self.users[name].reveal()}").hex()[:32]


def warning(settings: Settings) -> str | None:
    """What is to be said at the start of a node that anybody may look at."""
    closed = not settings.dashboard or settings.dashboard_users or settings.dashboard_password
    if closed or settings.mode is not Mode.PROD or _is_loopback(settings.host):
        return None
    remedy = "set LASSO_DASHBOARD_PASSWORD, or LASSO_DASHBOARD=off"
    return f"everybody who reaches this node on {settings.host} can look at its dashboard: {remedy}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

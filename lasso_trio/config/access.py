"""Who may use a profile, as values: keys, tokens, origins, networks, methods. Everything frozen and off by default.

A key is known by its hash only; secrets of tokens are `Secret`. Times of day are seconds since 1970, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from ipaddress import IPv4Network, IPv6Network
from math import inf
from typing import Final

import attrs

from lasso_trio.config.secret import Secret, SecretUrl

Network = IPv4Network | IPv6Network

HMAC_ALGORITHMS: Final = ("HS256", "HS384", "HS512")
PUBLIC_KEY_ALGORITHMS: Final = ("EdDSA", "ES256", "RS256", "PS256")


def _matcher(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs) or r"(?!)")


@attrs.frozen
class Names:
    """Names that may be used: those that `allow` has and `deny` has not. Globs (`eth_*`), case-sensitive."""

    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    _allowed: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)
    _denied: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    @_allowed.default
    def _allow(self) -> re.Pattern[str]:
        return _matcher(self.allow)

    @_denied.default
    def _deny(self) -> re.Pattern[str]:
        return _matcher(self.deny)

    def permits(self, name: str) -> bool:
        return self._allowed.match(name) is not None and self._denied.match(name) is None

    def permits_one_of(self, names: Iterable[str]) -> bool:
        """Whether what has all these names may be used: by any that is allowed, unless any is denied."""
        names = tuple(names)
        return any(map(self._allowed.match, names)) and not any(map(self._denied.match, names))

    def __bool__(self) -> bool:
        """Whether anything is restricted."""
        return bool(self.deny) or "*" not in self.allow


ANY: Final = Names()


@attrs.frozen
class Terms:
    """What one client may do. `rps` None: limited by its address, like everybody. `chains`: any of their names."""

    rps: int | None = None
    burst: int | None = None
    methods: Names = ANY
    chains: Names = ANY


@attrs.frozen
class ApiKey:
    """`digest`: SHA-256 of the whole key, 64 hexadecimal digits. From `expires` on it is refused."""

    id: str
    digest: str
    terms: Terms = Terms()
    expires: float = inf
    disabled: bool = False


@attrs.frozen
class JwtPolicy:
    """Which JSON Web Tokens (RFC 7519) are believed. Exactly one of `secret`, `jwks_file` and `jwks_url` is given.

    `jwks`: what stood in the file (RFC 7517), public keys only.
    """

    algorithms: tuple[str, ...]
    secret: Secret | None = None
    jwks_file: str | None = None
    jwks: str = ""
    jwks_url: SecretUrl | None = None
    refresh_s: int = 300
    issuer: str | None = None
    audience: str | None = None
    leeway_s: int = 30
    client_claim: str = "sub"


@attrs.frozen
class Auth:
    """Clients must show a key or a token. No keys and no `jwt`: nobody gets in."""

    keys: tuple[ApiKey, ...] = ()
    jwt: JwtPolicy | None = None


@attrs.frozen
class AccessPolicy:
    """`origins`: of web pages; `*` is all. `networks` empty: clients may be anywhere. `methods`: everybody's."""

    auth: Auth | None = None
    origins: tuple[str, ...] = ("*",)
    methods: Names = ANY
    networks: tuple[Network, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything, so that nobody need be looked at."""
        return self.auth is None and "*" in self.origins and not self.methods and not self.networks

    @property
    def lets_anybody_in(self) -> bool:
        """Whether a stranger's program may call: origins are kept by browsers only, methods do not tell who asks."""
        return self.auth is None and not self.networks


OPEN: Final = AccessPolicy()

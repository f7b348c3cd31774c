"""One profile's gate: who a credential belongs to, and what was let through or turned away.

Nothing here waits or keeps the clock: the time of day (seconds since 1970) is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

import attrs

from lasso_trio.access.api_key import PREFIX, owner_of
from lasso_trio.access.grant import Grant, Limits
from lasso_trio.access.token import TokenRefused, Tokens
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, Terms
from lasso_trio.jsonrpc.errors import RpcError, unauthorized

MOST_CLIENTS: Final = 200
"""Clients that are counted by name; tokens can name any number of them."""
OTHERS: Final = "_other"


@attrs.define(eq=False)
class ClientCounts:
    calls: int = 0
    limited: int = 0
    forbidden: int = 0


@attrs.define(eq=False)
class Counts:
    """`clients` by name. `refused`: requests without (good) credentials, by the reason's word."""

    clients: dict[str, ClientCounts] = attrs.field(factory=dict)
    refused: dict[str, int] = attrs.field(factory=dict)

    def of(self, client: str) -> ClientCounts:
        found = self.clients.get(client)
        if found is None:
            name = client if len(self.clients) < MOST_CLIENTS else OTHERS
            found = self.clients.setdefault(name, ClientCounts())
        return found

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1


@attrs.define(eq=False)
class Gate:
    """`tokens` None: they are not taken here."""

    slug: str
    policy: AccessPolicy
    limits: Limits
    tokens: Tokens | None = None
    counts: Counts = attrs.field(factory=Counts)
    _keys: Mapping[str, ApiKey] = attrs.field(init=False)

    @_keys.default
    def _by_id(self) -> Mapping[str, ApiKey]:
        return {} if self.policy.auth is None else {key.id: key for key in self.policy.auth.keys}

    @property
    def version(self) -> int:
        """Another number: what was said of a credential may not hold any more."""
        return 0 if self.tokens is None else self.tokens.version

    def is_inside(self, host: str) -> bool:
        """Whether a client at this address may call at all."""
        if not self.policy.networks:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.policy.networks if network.version == address.version)

    def look(self, credential: str | None, now: float) -> Grant | RpcError:
        """Whose it is. An error is returned and not raised: it is kept, and would keep every traceback too."""
        auth = self.policy.auth
        if auth is None:
            return Grant()
        if credential is None:
            return unauthorized("missing", "a key or token is needed")
        if credential.startswith(PREFIX):
            return self._of_key(auth, credential, now)
        return self._of_token(credential, now)

    def _of_key(self, auth: Auth, credential: str, now: float) -> Grant | RpcError:
        key = owner_of(credential, self._keys)
        if key is None or key.disabled:
            return unauthorized("unknown_key", "the key is not known")
        if now >= key.expires:
            return unauthorized("expired", "the key has expired")
        return self._grant("key", key.id, key.terms, key.expires)

    def _of_token(self, credential: str, now: float) -> Grant | RpcError:
        if self.tokens is None:
            return unauthorized("unknown_key", "the key is not known")
        try:
            bearer = self.tokens.read(credential, now)
        except TokenRefused as refused:
            return unauthorized("token", str(refused))
        return self._grant("token", bearer.client, bearer.terms, bearer.until)

    def _grant(self, kind: str, client: str, terms: Terms, until: float) -> Grant:
        return Grant(client, terms, until, self.limits.of(terms), f"{self.slug} {kind} {client}")

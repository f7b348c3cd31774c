"""What stands before one chain for one client: remembered with its route, asked at each of its calls.

A credential is looked at once; a call after that pays for a few comparisons. What was refused is looked at again after
a second, for it may have become good (a token whose time begins, keys that were fetched).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import attrs

from lasso_trio.access import origin
from lasso_trio.access.gate import Gate
from lasso_trio.access.grant import Grant
from lasso_trio.jsonrpc.errors import RpcError, forbidden
from lasso_trio.routing.client_limit import ClientLimit, client_key

LOOK_AGAIN_S: Final = 1.0


@attrs.define(eq=False)
class Guard:
    """`names`: of the chain; none where the profile does not have it. `origin`: of the web page that calls; None where
    it is no web page.

    `grant`: what its last admission gave.
    """

    gate: Gate
    credential: str | None = attrs.field(repr=False)
    names: Sequence[str]
    origin: str | None = None
    grant: Grant = attrs.field(factory=Grant)
    _verdict: Grant | RpcError | None = None
    _until: float = -inf
    _version: int = -1

    @property
    def client(self) -> str:
        return self.grant.client

    def admit(self, host: str, now: float) -> RpcError | None:
        """None: the client at `host` may call, as far as `forbids` lets it. `now`: seconds since 1970."""
        verdict = self._verdict
        if verdict is None or now >= self._until or self._version != self.gate.version:
            verdict = self._look(now)
        refused = self._outside(host) or (verdict if isinstance(verdict, RpcError) else None)
        if refused is not None:
            self.gate.counts.refuse(refused.category)
        return refused

    def permits(self, method: str) -> bool:
        """As `forbids`, of what is not called now."""
        return self.grant.permits(self.gate.policy.methods, method)

    def forbids(self, method: str) -> RpcError | None:
        """Why the method may not be called by who was admitted."""
        if self.permits(method):
            return None
        self.gate.counts.of(self.client).forbidden += 1
        return forbidden("method", f"method {method[:128]} is not allowed here")

    def take(self, everybody: ClientLimit, host: str, n: int, now: float) -> tuple[ClientLimit, float]:
        """Count `n` calls (`now`: trio's clock). The limit that holds, and how long to wait for it; 0.0: go on."""
        grant, counts = self.grant, self.gate.counts.of(self.client)
        limit = everybody if grant.limit is None else grant.limit
        wait = limit.take(client_key(host) if grant.limit is None else grant.bucket, n, now)
        if wait:
            counts.limited += n
        else:
            counts.calls += n
        return limit, wait

    @property
    def lets_origin(self) -> bool:
        return self.origin is None or origin.permits(self.gate.policy.origins, self.origin)

    def _look(self, now: float) -> Grant | RpcError:
        self._version = self.gate.version
        verdict = self.gate.look(self.credential, now)
        if isinstance(verdict, Grant) and self.names and not verdict.terms.chains.permits_one_of(self.names):
            self._until = verdict.until
            verdict = forbidden("chain", "this chain is not allowed for this client")
        elif isinstance(verdict, Grant):
            self.grant, self._until = verdict, verdict.until
        else:
            self._until = now + LOOK_AGAIN_S
        self._verdict = verdict
        return verdict

    def _outside(self, host: str) -> RpcError | None:
        if not self.gate.is_inside(host):
            return forbidden("network", "clients at this address are not let in")
        return None if self.lets_origin else forbidden("origin", "web pages of this origin are not let in")

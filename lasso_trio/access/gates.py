"""The gates of all profiles that have one.

Gates are made when somebody asks for them, and again when their profile's policy has changed; limits, counts and keys
that were fetched go on where they still mean the same.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns

import attrs

from lasso_trio.access.gate import Counts, Gate
from lasso_trio.access.grant import Limits
from lasso_trio.access.guard import Guard
from lasso_trio.access.token import Tokens
from lasso_trio.config.access import AccessPolicy, JwtPolicy
from lasso_trio.config.profile import Profile
from lasso_trio.routing.routed_chain import RoutedChain


def wall_clock() -> float:
    """Seconds since 1970."""
    return time_ns() / 1e9


@attrs.define(eq=False)
class Gates:
    """`clock`: the time of day; keys and tokens expire by it."""

    clock: Callable[[], float] = wall_clock
    gates: dict[str, Gate] = attrs.field(factory=dict)
    limits: Limits = attrs.field(factory=Limits)

    def of(self, slug: str, policy: AccessPolicy) -> Gate | None:
        """None: the profile is open to everybody."""
        gate = self.gates.get(slug)
        if gate is not None and (gate.policy is policy or gate.policy == policy):
            gate.policy = policy  # the same one is asked for from now on, and thousands of keys take long to compare
            return gate
        if policy.is_open:
            self.gates.pop(slug, None)
            return None
        made = Gate(slug, policy, self.limits, self._tokens(gate, policy), Counts() if gate is None else gate.counts)
        self.gates[slug] = made
        return made

    def guard(
        self, profile: Profile, chain: RoutedChain | None, credential: str | None, origin: str | None
    ) -> Guard | None:
        """For calls to a chain of `profile`, or to one that it does not have; None where nobody is kept out."""
        if profile.access.is_open:
            return None
        gate = self.of(profile.slug, profile.access)
        names = () if chain is None else (chain.chain.key, *chain.chain.aliases, str(chain.chain.chain_id))
        return None if gate is None else Guard(gate, credential, names, origin)

    @staticmethod
    def _tokens(before: Gate | None, policy: AccessPolicy) -> Tokens | None:
        jwt: JwtPolicy | None = None if policy.auth is None else policy.auth.jwt
        if jwt is None:
            return None
        if before is not None and before.tokens is not None and before.tokens.policy == jwt:
            return before.tokens
        made = Tokens.of(jwt)
        if jwt.jwks_url is not None and before is not None and before.tokens is not None:
            made.inherit(before.tokens)
        return made

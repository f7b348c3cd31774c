"""Which client we are to a profile: let in or not, and how many calls that client may make. The node's own words decide
(`access.gate`); the time of day is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping

from lasso_trio.access.credential import shown
from lasso_trio.access.gate import Gate
from lasso_trio.access.grant import Grant, Limits
from lasso_trio.access.token import Tokens
from lasso_trio.config.access import AccessPolicy
from lasso_trio.config.profile import Profile


def is_let_in(profile: Profile, headers: Mapping[str, str], now: float) -> bool:
    """As far as its files tell: a token whose keys are fetched is believed, and where we are is not looked at."""
    auth = profile.access.auth
    fetched = auth is not None and auth.jwt is not None and auth.jwt.secret is None
    return _grant(profile, headers, now) is not None or (fetched and shown(None, headers) is not None)


def limits_of(profile: Profile, headers: Mapping[str, str], now: float) -> tuple[int, int]:
    """Calls a second and burst: of the key or token that the headers (names in lower case) show, where it has its own,
    else of the profile.
    """
    grant = _grant(profile, headers, now)
    if grant is None or grant.limit is None:
        return profile.rps_limit, profile.burst_limit
    return grant.limit.rate, grant.limit.burst


def _grant(profile: Profile, headers: Mapping[str, str], now: float) -> Grant | None:
    gate = Gate(profile.slug, profile.access, Limits(), _tokens(profile.access))
    found = gate.look(shown(None, headers), now)
    return found if isinstance(found, Grant) else None


def _tokens(policy: AccessPolicy) -> Tokens | None:
    """Those whose secret stands in the environment; public keys are fetched by the node alone."""
    jwt = None if policy.auth is None else policy.auth.jwt
    return None if jwt is None or jwt.secret is None else Tokens.of(jwt)

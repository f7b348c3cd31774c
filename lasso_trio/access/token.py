"""JSON Web Tokens (RFC 7519): whose they are and what they allow, checked once and remembered until they expire.

What is believed is the operator's choice and never the token's: algorithms come from the profile, keys from the source
named there, and each algorithm takes its own kind of key only (joserfc refuses others). `none` is not among them.

    sub      the client's name (`client_claim` names another claim)
    exp      required; nbf and iat are minded; iss and aud where the profile names them
    lasso    optional: {"rps": 50, "burst": 100, "methods": [...] or {"allow": [...], "deny": [...]}, "chains": ...}

No I/O: sets of keys are fetched by `jwks`. The clock (seconds since 1970) is passed in.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import msgspec
import structlog

from lasso_trio.config.access import JwtPolicy, Names, Terms
from lasso_trio.errors import LassoError

if TYPE_CHECKING:
    from joserfc.jwk import Key

MOST_KNOWN: Final = 4_096
MOST_KEYS: Final = 64
_FAR: Final = 10**15
_CLIENT: Final = re.compile(r"[!-~]{1,128}")
_KINDS: Final = {"HS": "oct", "Ed": "OKP", "ES": "EC", "RS": "RSA", "PS": "RSA"}

_Words = Annotated[list[Annotated[str, msgspec.Meta(max_length=128)]], msgspec.Meta(max_length=64)]
_Rate = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


log = structlog.get_logger(__name__)


class TokenRefused(LassoError):
    """Why it is not believed, in words that may be told."""


class _Names(msgspec.Struct, forbid_unknown_fields=True):
    allow: _Words = msgspec.field(default_factory=lambda: ["*"])
    deny: _Words = []


class _Terms(msgspec.Struct, forbid_unknown_fields=True):
    rps: _Rate | None = None
    burst: _Rate | None = None
    methods: _Words | _Names | None = None
    chains: _Words | _Names | None = None


@attrs.frozen
class Bearer:
    """`until`: seconds since 1970, the leeway included."""

    client: str
    terms: Terms
    until: float


@attrs.define(eq=False)
class Tokens:
    """One policy's. `keys` None: they are still to be fetched. `version` moves with the keys."""

    policy: JwtPolicy
    keys: list[Key] | None = None
    version: int = 0
    misses: int = 0
    """Tokens whose key is not among ours: it may be newer than what was fetched."""
    _said: object = None
    """The set of keys that is believed, as it was read."""
    _known: dict[str, Bearer] = attrs.field(factory=dict)

    @classmethod
    def of(cls, policy: JwtPolicy) -> Tokens:
        """A file whose keys are of no use lets nobody in, and the log says so."""
        tokens = cls(policy)
        if policy.secret is not None:
            from joserfc.jwk import OctKey

            tokens.keys = [OctKey.import_key(policy.secret.reveal())]
        elif policy.jwks:
            tokens.keys = []
            try:
                tokens.use(policy.jwks)
            except TokenRefused as fault:
                log.warning("access.keys_not_usable", source=policy.jwks_file, reason=str(fault))
        return tokens

    def inherit(self, before: Tokens) -> None:
        """Believe the keys that came from the same URL under another policy, until they are fetched again."""
        if self.policy.jwks_url == before.policy.jwks_url:
            self.keys = before.keys

    def use(self, jwks: str | bytes) -> None:
        """Believe these public keys and no others: what was remembered is forgotten, unless they are the same as
        before. Raises TokenRefused.
        """
        try:
            said = msgspec.json.decode(jwks)
            keys = None if said == self._said else _keys_of(said["keys"])
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise TokenRefused("the set of keys cannot be read") from fault
        if keys is None:
            return
        if not keys:
            raise TokenRefused("the set of keys cannot be read, or holds none for signatures")
        self.keys, self._said = keys, said
        self._known.clear()
        self.version += 1

    def read(self, token: str, now: float) -> Bearer:
        """Raises TokenRefused."""
        known = self._known.get(token)
        if known is None:
            known = self._checked(token, now)
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[token] = known
        if now >= known.until:
            self._known.pop(token)
            raise TokenRefused("the token has expired")
        return known

    def _checked(self, token: str, now: float) -> Bearer:
        if self.keys is None:
            raise TokenRefused("the keys to check tokens with are not here yet")
        claims = self._claims(token, now)
        client = claims.get(self.policy.client_claim)
        if not isinstance(client, str) or not _CLIENT.fullmatch(client):
            raise TokenRefused(f"the token's {self.policy.client_claim!r} must be a name")
        return Bearer(client, _terms(claims.get("lasso")), _seconds(claims["exp"]) + self.policy.leeway_s)

    def _claims(self, token: str, now: float) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import ExpiredTokenError, JoseError

        from lasso_trio.access.token_algorithms import registry

        try:
            decoded = jwt.decode(token, self._key, registry=registry(self.policy.algorithms))
            self._claims_registry(now).validate(decoded.claims)
        except ExpiredTokenError:
            raise TokenRefused("the token has expired") from None
        except TokenRefused:
            raise
        except (JoseError, ValueError, TypeError, RecursionError):
            raise TokenRefused("the token is not valid") from None
        return dict(decoded.claims)

    def _claims_registry(self, now: float) -> Any:  # noqa: ANN401  (the library is imported when it is needed)
        from joserfc.jwt import JWTClaimsRegistry

        wanted: dict[str, Any] = {"exp": {"essential": True}}
        for name, value in (("iss", self.policy.issuer), ("aud", self.policy.audience)):
            if value is not None:
                wanted[name] = {"essential": True, "value": value}
        return JWTClaimsRegistry(now=int(now), leeway=self.policy.leeway_s, **wanted)

    def _key(self, token: Any) -> Any:  # noqa: ANN401
        """By the name that the header says, if our keys have names; else the only key of the algorithm's kind."""
        header = token.headers()
        kind, name = _KINDS.get(str(header.get("alg"))[:2]), header.get("kid")
        fit = [key for key in self.keys or () if key.key_type == kind]
        if name is not None:
            fit = [key for key in fit if key.kid == name] or [key for key in fit if key.kid is None]
        if len(fit) == 1:
            return fit[0]
        self.misses += 1
        raise TokenRefused("the token's key is not known")


def _keys_of(said: list[dict[str, Any]]) -> list[Key]:
    """Those that signatures can be checked with; others of the set are for somebody else (RFC 7517, section 5)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    from lasso_trio.access.token_algorithms import ED25519

    keys: list[Key] = []
    for key in said:
        if len(keys) < MOST_KEYS and key.get("use", "sig") == "sig":
            renamed = {"alg": ED25519} if key.get("alg") == "EdDSA" else {}  # as `registry` does with the token's
            with suppress(JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
                keys.append(JWKRegistry.import_key({**key, **renamed}))
    return keys


def _terms(claim: object) -> Terms:
    if claim is None:
        return Terms()
    try:
        read = msgspec.convert(claim, _Terms)
    except msgspec.ValidationError:
        raise TokenRefused("the token's 'lasso' says something else than what a client may do") from None
    return Terms(read.rps, read.burst, _names(read.methods), _names(read.chains))


def _names(read: list[str] | _Names | None) -> Names:
    if read is None:
        return Names()
    return Names(tuple(read)) if isinstance(read, list) else Names(tuple(read.allow), tuple(read.deny))


def _seconds(exp: float) -> float:
    """A number can be too large for the calculations to come."""
    return float(min(exp, _FAR))

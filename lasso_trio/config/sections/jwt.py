"""`auth.jwt`: which tokens are believed, and whose signature makes them so.

One source of keys, and algorithms that belong to it: a public key must never be taken for an HMAC's secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from lasso_trio.config.access import HMAC_ALGORITHMS, PUBLIC_KEY_ALGORITHMS, JwtPolicy
from lasso_trio.config.fields import Fields, not_one_of
from lasso_trio.config.secret import Secret
from lasso_trio.config.sections.endpoint import HTTP_SCHEMES, read_url

JWT_KEYS: Final = (
    "algorithms",
    "secret",
    "jwks_file",
    "jwks_url",
    "refresh_s",
    "issuer",
    "audience",
    "leeway_s",
    "client_claim",
)
SOURCES: Final = ("secret", "jwks_file", "jwks_url")
SHORTEST_SECRET: Final = 32
"""Bytes: RFC 7518, section 3.2, for HS256."""


def read_jwt(auth: Fields) -> JwtPolicy | None:
    """None where tokens are not taken."""
    fields = auth.section("jwt", JWT_KEYS)
    if fields is None:
        return None
    if sum(source in fields for source in SOURCES) != 1:
        auth.complain("jwt", f"'jwt' needs exactly one of {', '.join(SOURCES)}")
    path = fields.text("jwks_file", None)
    return JwtPolicy(
        algorithms=_algorithms(fields),
        secret=_secret(fields),
        jwks_file=path,
        jwks="" if path is None else _read_jwks(fields, path),
        jwks_url=read_url(fields, "jwks_url", HTTP_SCHEMES),
        refresh_s=fields.integer("refresh_s", 300, least=10),
        issuer=fields.text("issuer", None),
        audience=fields.text("audience", None),
        leeway_s=fields.integer("leeway_s", 30, least=0),
        client_claim=fields.text("client_claim", "sub"),
    )


def _algorithms(fields: Fields) -> tuple[str, ...]:
    fit = HMAC_ALGORITHMS if "secret" in fields else PUBLIC_KEY_ALGORITHMS
    if "algorithms" not in fields:
        return fit[:1] if "secret" in fields else fit
    words = fields.texts("algorithms")
    for word in words:
        if word.text not in fit:
            fields.report.add(word.line, *not_one_of("'algorithms' with this source of keys", word, fit))
    if not words:
        fields.complain("algorithms", "'algorithms' must name one")
    return tuple(word.text for word in words)


def _secret(fields: Fields) -> Secret | None:
    scalar = fields.scalar("secret")
    if scalar is None:
        return None
    if len(scalar.text.encode()) < SHORTEST_SECRET:
        fields.complain("secret", f"'secret' must have at least {SHORTEST_SECRET} bytes")
    return Secret(scalar.text)


def _read_jwks(fields: Fields, name: str) -> str:
    path = Path(fields.report.file).parent / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        fields.complain("jwks_file", f"'jwks_file' {str(path)!r} cannot be read: {why}")
        return ""
    problem = jwks_problem(text)
    if problem is not None:
        fields.complain("jwks_file", f"'jwks_file' {str(path)!r} {problem}")
    return text


def jwks_problem(text: str | bytes) -> str | None:
    """What is wrong with a set of public keys; None when nothing is."""
    try:
        keys: Any = msgspec.json.decode(text)["keys"]
        kinds = [(key["kty"], "d" in key) for key in keys]
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return "is no JWK set (RFC 7517)"
    if any(kind == "oct" or private for kind, private in kinds):
        return "holds a secret key: only public ones belong here"
    return None if kinds else "holds no key"

"""Signed tokens for tests, with keys made for the run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

NOW = 1_800_000_000
SECRET = "a secret that is long enough for HS256"
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
OCT = OctKey.import_key(SECRET)


def jwks(*keys: Key) -> str:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys or (ED, EC, RSA)]})


def token(key: Key = OCT, alg: str = "HS256", head: Mapping[str, object] | None = None, **claims: object) -> str:
    """For `alice`, good for a minute at `NOW`. Headers and claims that are None are left out."""
    body = {"sub": "alice", "exp": NOW + 60} | claims
    top = {"alg": alg, "kid": key.kid} | dict(head or {})
    return jwt.encode(_given(top), _given(body), key, algorithms=[alg])


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}

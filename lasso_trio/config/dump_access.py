"""Who may use a profile, as `dump` writes it: what is not restricted is left out, keys of a file stand with the others.

The hash of a key is no secret (a key has 256 random bits); the secret of tokens is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any

import attrs

from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, JwtPolicy, Names


def access_told(policy: AccessPolicy) -> Mapping[str, Any]:
    """The profile's keys of this section, made of mappings, lists and words."""
    told: dict[str, Any] = {"cors": {"origins": policy.origins}, "methods": _names(policy.methods)}
    if policy.networks:
        told["networks"] = [str(network) for network in policy.networks]
    return told if policy.auth is None else told | {"auth": _auth(policy.auth)}


def _names(names: Names) -> dict[str, Any]:
    return {"allow": names.allow, "deny": names.deny}


def _auth(auth: Auth) -> dict[str, Any]:
    told: dict[str, Any] = {"keys": [_key(key) for key in auth.keys]}
    return told if auth.jwt is None else told | {"jwt": _jwt(auth.jwt)}


def _key(key: ApiKey) -> dict[str, Any]:
    told = {
        "id": key.id,
        "hash": f"sha256:{key.digest}",
        "rps": key.terms.rps,
        "burst": key.terms.burst,
        "methods": _names(key.terms.methods),
        "chains": _names(key.terms.chains),
        "disabled": key.disabled,
    }
    return told if key.expires == inf else told | {"expires": datetime.fromtimestamp(key.expires, UTC).isoformat()}


def _jwt(policy: JwtPolicy) -> dict[str, Any]:
    fields = attrs.asdict(policy, recurse=False)
    del fields["jwks"]
    told = {name: value for name, value in fields.items() if value is not None}
    for name in ("secret", "jwks_url"):
        if name in told:
            told[name] = str(told[name])
    return told

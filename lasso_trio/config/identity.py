"""Which providers are one and the same instance.

An instance is one physical upstream: chain, URLs and every credential. Two profiles that spell the same upstream
differently must meet in one instance (one breaker, one pool), and two keys at the same host must not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from lasso_trio.config.secret import Secret, SecretUrl

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def normalise_url(url: str) -> str:
    """One spelling per upstream: scheme and host lower-case, no default port, no trailing slash, no fragment.

    User info, path and query stay as they are: they may be credentials. Raises ValueError when it is no URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user}{at}{host}{port}", parts.path.rstrip("/"), parts.query, ""))


def instance_id(
    chain_id: int,
    url: SecretUrl | None,
    ws_url: SecretUrl | None,
    headers: Mapping[str, Secret],
    isolated_in: str | None = None,
) -> str:
    """`<chain id>:<host>:<12 hex of sha256>`. `headers` are the merged ones; `isolated_in` is a profile's slug.

    The host is a hint for people (a colon of an IPv6 address becomes `-`); the digest decides.
    """
    urls = [None if each is None else normalise_url(each.reveal()) for each in (url, ws_url)]
    credentials = sorted((name.lower(), value.reveal()) for name, value in headers.items())
    evidence = json.dumps([chain_id, *urls, credentials, isolated_in], separators=(",", ":"))
    host = urlsplit(urls[0] or urls[1] or "").hostname or "unknown"
    return f"{chain_id}:{host.replace(':', '-')}:{sha256(evidence.encode()).hexdigest()[:12]}"

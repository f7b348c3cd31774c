"""What a provider is reached with: URLs, keys and headers.

Whatever is read here may be a secret, so it leaves as `Secret` or `SecretUrl` and no message shows more of it than
`mask_url` does. Everything that would break a request head (line breaks, spaces, headers the proxy itself must own) is
refused here, once, so that whoever writes the head need not look again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from lasso_trio.config.document import Scalar
from lasso_trio.config.fields import Fields
from lasso_trio.config.secret import Secret, SecretUrl, mask_url

HTTP_SCHEMES: Final = ("http", "https")
WS_SCHEMES: Final = ("ws", "wss")
_URL_TEXT: Final = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_FRAMING: Final = ("content-length", "transfer-encoding", "te", "trailer", "expect", "content-encoding")
_OWN_HEADERS: Final = frozenset({"host", "connection", "keep-alive", "upgrade", "accept-encoding", *_FRAMING})


def read_url(fields: Fields, key: str, schemes: tuple[str, ...]) -> SecretUrl | None:
    """The URL under `key`; None when absent or wrong."""
    scalar = fields.scalar(key)
    if scalar is None:
        return None
    fault = _url_fault(scalar, schemes)
    if fault is None:
        return SecretUrl(scalar.text)
    fields.complain(key, f"{key!r} {fault}")
    return None


def read_headers(fields: Fields) -> dict[str, Secret]:
    """The merged extra headers: `headers`, then `api_key` as a bearer token, then `auth_headers`; later ones win."""
    merged: dict[str, tuple[str, Secret]] = {}
    for layer in (_header_map(fields, "headers"), _bearer(fields), _header_map(fields, "auth_headers")):
        merged |= {name.lower(): (name, value) for name, value in layer.items()}
    return dict(merged.values())


def _url_fault(scalar: Scalar, schemes: tuple[str, ...]) -> str | None:
    if not scalar.text.strip():
        return "must not be blank"
    if not _URL_TEXT.fullmatch(scalar.text):
        return "must not hold spaces, control characters or characters beyond ASCII"
    try:
        parts = urlsplit(scalar.text)
        port = parts.port
    except ValueError:
        return "is not a URL: its host or port cannot be read"
    if parts.scheme not in schemes:
        return f"must begin with {schemes[0]}:// or {schemes[1]}://, found {_masked(scalar)}{_swapped(parts.scheme)}"
    if not parts.hostname or port == 0:
        return f"needs a host, and a port above 0 if any; found {_masked(scalar)}"
    return None if not parts.fragment else "must not hold a '#': what follows it is never sent (write %23)"


def _masked(scalar: Scalar) -> str:
    return repr(scalar.written or mask_url(scalar.text))


def _swapped(scheme: str) -> str:
    wanted = {"http": "url", "https": "url", "ws": "ws_url", "wss": "ws_url"}.get(scheme)
    return f" (that belongs under {wanted!r})" if wanted else ""


def _bearer(fields: Fields) -> Mapping[str, Secret]:
    scalar = fields.scalar("api_key")
    if scalar is None:
        return {}
    if not _HEADER_VALUE.fullmatch(scalar.text):
        fields.complain("api_key", "'api_key' must be visible ASCII characters on one line")
        return {}
    return {"Authorization": Secret(f"Bearer {scalar.text}")}


def _header_map(fields: Fields, key: str) -> Mapping[str, Secret]:
    if isinstance(fields.node(key), Scalar):  # it may be a key in the wrong place, so it is not shown
        fields.complain(key, f"{key!r} must hold `key: value` lines")
        return {}
    table = fields.table(key)
    if table is None:
        return {}
    read: dict[str, Secret] = {}
    for name, value in table.pairs:
        fault = _header_fault(name.text, value, {other.lower() for other in read})
        if fault is not None:
            fields.report.add(name.line, f"header {name.text!r} in {key!r} {fault}")
        elif isinstance(value, Scalar):
            read[name.text] = Secret(value.text)
    return read


def _header_fault(name: str, value: object, taken: set[str]) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "is not a valid header name"
    if name.lower() in _OWN_HEADERS:
        return "belongs to the proxy and cannot be set"
    if name.lower() in taken:
        return "is given twice"
    if not isinstance(value, Scalar) or value.is_null:
        return "must have text as its value"
    if value.unresolved or _HEADER_VALUE.fullmatch(value.text):
        return None
    return "has a value that is not visible ASCII on one line"

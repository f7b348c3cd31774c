"""Where an instance lives and what every request to it begins with, worked out once when the profile is loaded.

The request head never changes but for the body's length, so it is kept as bytes up to `Content-Length: ` and one
call's request is three pieces joined. The URL's path, its user info and the configured headers may hold keys: they
live in those bytes and nowhere else, and `repr` shows the origin only.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import attrs
import idna

from lasso_trio import __version__
from lasso_trio.config.secret import MASK, Secret, SecretUrl

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
OWN_HEADERS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "te", "transfer-encoding", "upgrade"}
)
"""Set by the pool; a configured one would break framing or decoding, so it is refused."""

_SHORTEST_KEY: Final = 8
_SHORTEST_KEY_IN_PATH: Final = 16
"""Paths hold words as well (`/eth/mainnet`)."""
_MASKED: Final = MASK.encode()

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_PATH_SAFE: Final = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE: Final = _PATH_SAFE + "?"


@attrs.frozen(repr=False)
class Endpoint:
    """`host` is ASCII without brackets; `server_name` is what SNI and the certificate check use."""

    scheme: str
    host: str
    port: int
    head: bytes = attrs.field(repr=False)
    """Request line and headers up to and with `Content-Length: `."""
    gzip_head: bytes = attrs.field(repr=False)
    """The same, asking for a gzip-encoded answer."""
    keys: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    """What may be a credential in the URL and the headers, the longest first."""

    @classmethod
    def from_url(cls, url: SecretUrl, headers: Mapping[str, Secret] | None = None) -> Self:
        """Raises ValueError for a URL or header that cannot be used; the message never holds the URL or a value."""
        parts = _split(url.reveal())
        host, port = _ascii_host(parts.hostname or ""), parts.port
        if port is None:
            port = DEFAULT_PORTS[parts.scheme]
        lines = _header_lines(parts, _host_header(parts.scheme, host, port), headers or {})
        start = f"POST {_target(parts)} HTTP/1.1"
        keys = _keys(parts, headers or {})
        return cls(parts.scheme, host, port, _head(start, lines, "identity"), _head(start, lines, "gzip"), keys)

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def server_name(self) -> str:
        return self.host.partition("%")[0]

    @property
    def origin(self) -> str:
        """`scheme://host:port`, the port only when it is not the scheme's own. Safe to print."""
        return f"{self.scheme}://{_host_header(self.scheme, self.host, self.port)}"

    def __repr__(self) -> str:
        return f"<Endpoint {self.origin}>"

    def request(self, body: bytes, *, gzip: bool = False, lines: bytes = b"") -> bytes:
        """The whole request, ready for one send. `lines`: further header lines, each with its line end."""
        return b"%b%d\r\n%b\r\n%b" % (self.gzip_head if gzip else self.head, len(body), lines, body)

    def without_keys(self, answer: bytes) -> bytes:
        """`answer` with our credentials masked: some providers repeat in an error what they were sent."""
        for key in self.keys:
            if key in answer:
                answer = answer.replace(key, _MASKED)
        return answer


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not an http(s) URL with a host") from None
    return parts


def _ascii_host(host: str) -> str:
    """Addresses as they are, names in their ASCII (A-label) form."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return host
    name = host.removesuffix(".")
    if re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", name) and ".." not in name:
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("not a host name that can be resolved") from None


def _host_header(scheme: str, host: str, port: int) -> str:
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    return shown if port == DEFAULT_PORTS[scheme] else f"{shown}:{port}"


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    return f"{path}?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else path


def _header_lines(parts: SplitResult, host: str, configured: Mapping[str, Secret]) -> list[str]:
    """Ours first, each replaced by a configured one of the same name (in any case)."""
    ours = {
        "Host": host,
        "User-Agent": f"lasso_trio/{__version__}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    if parts.username is not None or parts.password is not None:
        ours["Authorization"] = _basic(parts.username or "", parts.password or "")
    fields = {name.lower(): (name, value) for name, value in ours.items()}
    for name, secret in configured.items():
        fields[name.lower()] = (_checked_name(name), _checked_value(name, secret.reveal()))
    return [f"{name}: {value}" for name, value in fields.values()]


def _keys(parts: SplitResult, headers: Mapping[str, Secret]) -> tuple[bytes, ...]:
    """As they are written, as they are sent, and as JSON may spell them."""
    texts = [parts.username or "", parts.password or "", *(value for _, value in parse_qsl(parts.query))]
    texts += [word for secret in headers.values() for word in secret.reveal().split()]
    if texts[0] or texts[1]:
        texts.append(_basic(texts[0], texts[1]).split()[1])
    found = {text for text in texts if len(text) >= _SHORTEST_KEY}
    found |= {segment for segment in parts.path.split("/") if len(segment) >= _SHORTEST_KEY_IN_PATH}
    found |= {spelt for text in found for spelt in (quote(text, safe=""), unquote(text), text.replace("/", "\\/"))}
    return tuple(sorted((text.encode() for text in found), key=len, reverse=True))


def _basic(user: str, password: str) -> str:
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _checked_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in OWN_HEADERS:
        raise ValueError(f"the header {name} is set by the connection and cannot be configured")
    return name


def _checked_value(name: str, value: str) -> str:
    if not _FIELD_VALUE.fullmatch(value) or not value.isascii():
        raise ValueError(f"the value of header {name} holds characters that HTTP does not allow")
    return value.strip()


def _head(start: str, lines: list[str], encoding: str) -> bytes:
    every = [start, *lines, f"Accept-Encoding: {encoding}", "Content-Length: "]
    return "\r\n".join(every).encode("ascii")

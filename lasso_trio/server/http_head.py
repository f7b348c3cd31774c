"""A request head, parsed once and remembered.

Clients on kept connections repeat the same head to the byte, so a parsed head is cached under its raw bytes, for all
connections together: a hit costs one dictionary look-up. llhttp (httptools) reads the grammar strictly (it refuses
bare LF, obs-fold, control characters, Content-Length with Transfer-Encoding, repeated Content-Length); what it lets
through and RFC 9112 does not is refused here, because two readers who disagree about a message are how requests
are smuggled.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import httptools

from lasso_trio.server.content_coding import accepts_gzip
from lasso_trio.server.refusal import BadRequest, Kind, malformed

# Exactly one space on either side (llhttp takes several), and only the versions that we speak.
_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]\r\n")
_ABSOLUTE: Final = re.compile(r"https?://[^/?]*", re.IGNORECASE)

Headers = tuple[tuple[bytes, bytes], ...]


@attrs.define(eq=False, on_setattr=attrs.setters.frozen)
class Head:
    """One request head. Immutable but for `route`, where the handler keeps what it made of target and headers."""

    method: str
    target: str
    """Origin form: path and query. An absolute-form target has lost its scheme and authority."""
    version: int
    """The minor version: 0 or 1."""
    headers: Headers
    """Lower-case names; values as sent, without the white space around them."""
    keep_alive: bool
    content_length: int
    """0 when there is no body or its length is not declared."""
    chunked: bool
    expect_continue: bool
    upgrade: bool
    content_encoding: bytes
    """Lower-case; empty for none."""
    accepts_gzip: bool
    route: Any = attrs.field(default=None, on_setattr=attrs.setters.NO_OP)

    plain: bool = attrs.field(init=False)
    """HTTP/1.1 that stays open, with a body of declared length and no coding: what nearly every request is."""

    @plain.default
    def _is_plain(self) -> bool:
        return self.version == 1 and self.keep_alive and not self.chunked and not self.content_encoding

    def header(self, name: bytes) -> bytes | None:
        """The first value under the lower-case `name`."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


def parse_head(raw: bytes, max_headers: int) -> Head:
    """Read a whole head (it ends with an empty line). Raises `BadRequest`."""
    if raw.count(b"\r\n") - 2 > max_headers:
        raise BadRequest(431, Kind.HEAD_TOO_LARGE, "too many header lines")
    if _REQUEST_LINE.match(raw) is None:
        raise malformed("malformed request line")
    sink, parser = _run_parser(raw)
    fields = sink.fields
    version = 1 if parser.get_http_version() == "1.1" else 0
    values = _by_name(fields)
    _check_host(values, version)
    return Head(
        method=parser.get_method().decode("ascii"),
        target=_origin_form(sink.url.decode("ascii")),
        version=version,
        headers=tuple(fields),
        keep_alive=_keep_alive(values, version),
        content_length=_content_length(values),
        chunked=_chunked(values, version),
        expect_continue=_expects_continue(values, version),
        upgrade=b"upgrade" in values,
        content_encoding=_content_encoding(values),
        accepts_gzip=accepts_gzip(values.get(b"accept-encoding", b"")),
    )


class _Sink:
    """What llhttp calls back with."""

    __slots__ = ("fields", "url")

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))


def _run_parser(raw: bytes) -> tuple[_Sink, httptools.HttpRequestParser]:
    sink = _Sink()
    parser = httptools.HttpRequestParser(sink)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # an offer that we do not take up: the request is answered over HTTP/1.1 (RFC 9110, 7.8)
    except httptools.HttpParserError as error:
        raise malformed(str(error)) from error
    return sink, parser


def _by_name(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Values per name; repeated lines are one list (RFC 9110, 5.3)."""
    values: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in values:
            if name == b"host":
                raise malformed("Host is repeated")
            value = values[name] + b", " + value
        values[name] = value
    return values


def _check_host(values: dict[bytes, bytes], version: int) -> None:
    if version == 1 and b"host" not in values:
        raise malformed("Host is missing")


def _origin_form(target: str) -> str:
    if "#" in target:
        raise malformed("target with a fragment")
    if target.startswith("/") or target == "*":
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise malformed("target is neither a path nor a URL")
    path = target[absolute.end() :]
    return path if path.startswith("/") else "/" + path


def _keep_alive(values: dict[bytes, bytes], version: int) -> bool:
    options = {option.strip() for option in values.get(b"connection", b"").lower().split(b",")}
    if b"close" in options:
        return False
    return version == 1 or b"keep-alive" in options


def _content_length(values: dict[bytes, bytes]) -> int:
    text = values.get(b"content-length")
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 18:
        raise malformed("malformed Content-Length")
    return int(text)


def _chunked(values: dict[bytes, bytes], version: int) -> bool:
    coding = values.get(b"transfer-encoding")
    if coding is None:
        return False
    if version == 0 or b"content-length" in values:
        raise malformed("Transfer-Encoding is not allowed here")
    if coding.lower() != b"chunked":
        raise BadRequest(501, Kind.NOT_IMPLEMENTED, "unknown Transfer-Encoding")
    return True


def _expects_continue(values: dict[bytes, bytes], version: int) -> bool:
    expected = values.get(b"expect")
    if expected is None or version == 0:  # RFC 9110, 10.1.1: an HTTP/1.0 expectation is ignored
        return False
    if expected.lower() != b"100-continue":
        raise BadRequest(417, Kind.EXPECTATION, "unknown expectation")
    return True


def _content_encoding(values: dict[bytes, bytes]) -> bytes:
    coding = values.get(b"content-encoding", b"").lower()
    return b"" if coding == b"identity" else coding

"""The head of a response: what RFC 9112 §4–6 let it say about the body, decided strictly and cheaply.

One regular expression checks the whole head at C speed; only the few fields that frame the message are looked up, in
a lower-cased copy. The header list is built when somebody asks. A head that two readers could frame differently (a
length and a transfer coding, two lengths, folded lines, bare line feeds, blanks before a colon) is refused: a pooled
connection that was read wrongly would give one caller another caller's answer.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from lasso_trio.upstream.faults import Malformed, TooLarge

MAX_HEAD: Final = 65_536
MAX_FIELDS: Final = 256

# Groups are repeated greedily, not possessively: before Python 3.11.5 (Debian 12 has 3.11.2) a possessive repeat of a
# group does not match what it should. It costs nothing, as no two ways of matching a head exist.
FIELD: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\r\n\0]*+"
_HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n\0]*+)?((?:\r\n" + FIELD + rb")*)\r\n\r\n")
_FIELDS: Final = re.compile(rb"\r\n([^:\r\n]++):[ \t]*+([^\r\n]*+)")

_PLAIN_FIELD: Final = (
    rb"\r\n(?:(?i:connection):[ \t]*+(?i:keep-alive)[ \t]*+(?=\r\n)"
    rb"|(?!(?i:connection|content-length|content-encoding|transfer-encoding):)" + FIELD + rb")"
)
_PLAIN: Final = re.compile(
    rb"HTTP/1\.1 ((?!204|304)[2-5][0-9][0-9])(?: [^\r\n\0]*+)?"
    rb"((?:" + _PLAIN_FIELD + rb"){0,128}"
    rb"\r\n(?i:content-length):[ \t]*+([0-9]{1,9})[ \t]*+"
    rb"(?:" + _PLAIN_FIELD + rb"){0,127})\r\n\r\n"
)
"""The usual answer: a length and nothing else that frames, so one match says everything. Same grammar as `_HEAD`."""


@attrs.define(eq=False)
class ResponseHead:
    """`length`: the body's bytes if announced (0 where the status has no body); None: chunked or up to the end."""

    status: int
    fields: bytes = attrs.field(repr=False)
    length: int | None
    chunked: bool
    keep_alive: bool
    encoding: bytes
    """`content-encoding`, lower-case; empty when the body is as it is."""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case, values stripped, in the order received, repeated ones repeated."""
        return [(name.lower(), value.rstrip()) for name, value in _FIELDS.findall(self.fields)]


def parse_whole(data: bytes, max_body: int) -> tuple[ResponseHead, bytes] | None:
    """The usual answer, all of it in `data` and nothing more: what `parse_head` would say, at a third of its price.

    None says nothing: ask a `ResponseReader`. An answer that is given leaves its connection reusable.
    """
    match = _PLAIN.match(data)
    if match is None:
        return None
    end, (status, fields, digits) = match.end(), match.groups()
    length = int(digits)
    if end + length != len(data) or length > max_body or end > MAX_HEAD:
        return None
    return ResponseHead(int(status), fields, length, False, True, b""), data[end:]


def parse_head(data: bytes) -> tuple[ResponseHead, int] | None:
    """The head at the start of `data` and where its body begins, or None when it is not all there.

    Raises Malformed or TooLarge.
    """
    match = _HEAD.match(data)
    if match is None:
        _check_incomplete(data)
        return None
    end = match.end()
    minor, status, fields = match.groups()
    if end > MAX_HEAD or fields.count(b"\r\n") > MAX_FIELDS:
        raise TooLarge("head", f"more than {MAX_HEAD} bytes or {MAX_FIELDS} fields")
    return _framed(minor == b"1", int(status), fields), end


def _check_incomplete(data: bytes) -> None:
    """Refuse at once what more bytes cannot make right."""
    if not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(data[:7]):
        raise Malformed("not_http", "the answer does not start as HTTP/1.x does")
    if b"\r\n\r\n" in data:
        raise Malformed("head", "the status line or a header is not as RFC 9112 has it")
    if len(data) > MAX_HEAD:
        raise TooLarge("head", f"more than {MAX_HEAD} bytes")


def _framed(modern: bool, status: int, fields: bytes) -> ResponseHead:
    lowered = fields.lower()
    length, chunked, keep_alive, encoding = _length(lowered), False, modern, b""
    if b"-encoding:" in lowered:
        chunked = _is_chunked(modern, length, _field(lowered, b"\r\ntransfer-encoding:"))
        encoding = _field(lowered, b"\r\ncontent-encoding:") or b""
    if b"\r\nconnection:" in lowered:
        keep_alive = _keeps_alive(modern, _field(lowered, b"\r\nconnection:") or b"")
    if status < 200 or status == 204 or status == 304:
        keep_alive = keep_alive and not length and not chunked  # it may send the body that it must not have
        length, chunked = 0, False
    return ResponseHead(status, fields, length, chunked, keep_alive, encoding)


def _field(lowered: bytes, name: bytes) -> bytes | None:
    """The value of the field `\\r\\nname:`, repeated ones joined by commas as RFC 9110 §5.3 has it; None if absent."""
    at = lowered.find(name)
    if at < 0:
        return None
    start = at + len(name)
    end = lowered.find(b"\r\n", start)
    if end < 0:
        return lowered[start:].strip(b" \t")
    value = lowered[start:end].strip(b" \t")
    if lowered.find(name, end) < 0:
        return value
    return value + b"," + (_field(lowered[end:], name) or b"")


def _length(lowered: bytes) -> int | None:
    """RFC 9112 §6.3: repeated lengths are one length if they are all the same, else nobody knows what they mean."""
    value = _field(lowered, b"\r\ncontent-length:")
    if value is None:
        return None
    if b"," in value:
        first, *others = [part.strip(b" \t") for part in value.split(b",")]
        if any(other != first for other in others):
            raise Malformed("framing", "several content-lengths that differ")
        value = first
    if not value.isdigit() or len(value) > 18:
        raise Malformed("framing", "content-length is not a number")
    return int(value)


def _is_chunked(modern: bool, length: int | None, coding: bytes | None) -> bool:
    if coding is None:
        return False
    if length is not None:
        raise Malformed("framing", "both content-length and transfer-encoding")
    if not modern or coding != b"chunked":
        raise Malformed("framing", "a transfer-encoding other than chunked over HTTP/1.1")
    return True


def _keeps_alive(modern: bool, value: bytes) -> bool:
    if value == b"keep-alive":
        return True
    tokens = [token.strip(b" \t") for token in value.split(b",")]
    return b"close" not in tokens and (modern or b"keep-alive" in tokens)

"""The last line of defence before text is seen: whatever looks like it holds a key is masked, whatever it came from.

Redaction is by type (`config.secret`); this room is for text that others wrote: exception messages, upstream error
texts, URLs that someone forgot to wrap. `scrub` masks text, `plain` turns any value into one that a log line can hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final

from lasso_trio.config.secret import MASK, Secret, mask_url

MAX_TEXT_CHARS: Final = 4096
MAX_DEPTH: Final = 12
MARGIN: Final = 4096
"""Characters that are looked at beyond a text's limit: no key is longer, so none is cut through and taken for none."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}://[^\s\"'<>`]+")
_KEYED = re.compile(r"([?&][\w\-]{0,32}?(?:key|token|secret|auth|password)[\w\-]{0,32}=)[^&\s\"']+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=\-]{16,}", re.IGNORECASE)
_OWN_KEY = re.compile(r"(lasso_[A-Za-z0-9.-]{1,32}_)[A-Za-z0-9_-]{20,}")
"""A client's, as `access.api_key` makes them, or most of one. Whose it is may be seen."""
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")
"""A JSON Web Token, or its first two parts: `eyJ` is how `{"` looks in base64url."""
_BREAK = re.compile(r".*[\s\"']", re.DOTALL)
"""Up to the last character that is in no key, URL or token."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_LARGEST: Final = 2**64 - 1
_SMALLEST: Final = -(2**63)


def scrub(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """`text`, at most `limit` characters of it, with URLs cut down to their origin and credentials masked."""
    if len(text) <= limit:
        return _masked(text)
    if len(text) <= limit + MARGIN:
        masked = _masked(text)
        return masked if len(masked) <= limit else masked[:limit] + "…"
    return _beginning(text[: limit + MARGIN], limit) + "…"


def _beginning(seen: str, limit: int) -> str:
    """Of a text that goes on after `seen`, where `seen` may end in the half of a key."""
    whole_words = _BREAK.match(seen)
    shown = _masked(whole_words[0])[:limit] if whole_words else ""
    if len(shown) >= limit:
        return shown
    masked = _masked(seen)  # its end is one long word
    return max(shown, masked[: max(0, min(limit, len(masked) - MARGIN))], key=len)


def _masked(text: str) -> str:
    text = encodable(text)
    if "://" in text:
        text = _URL.sub(lambda found: mask_url(found[0]), text)
    if "=" in text:
        text = _KEYED.sub(rf"\1{MASK}", text)
    if _CREDENTIALS.search(text):  # looking is much cheaper than replacing nothing
        text = _CREDENTIALS.sub(rf"\1 {MASK}", text)
    if "lasso_" in text:
        text = _OWN_KEY.sub(rf"\1{MASK}", text)
    if "eyJ" in text:
        text = _TOKEN.sub(MASK, text)
    return text


def encodable(text: str) -> str:
    """`text` with lone surrogates, which JSON can spell but no encoding can carry, written out as `\\udxxx`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def printable(text: str, *, lines: bool = False) -> str:
    """`text` without anything that could steer a terminal; line ends may stay."""
    return (_CONTROL_BUT_LINES if lines else _CONTROL).sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def plain(value: object, depth: int = 0) -> object:
    """`value` out of str, int (64 bit; larger ones as hexadecimal text), float, bool, None, dict and list; scrubbed.

    Never raises, whatever the value's own `str` does.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, int):
        return int(value) if _SMALLEST <= value <= _LARGEST else hex(value)
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {scrub(_text(key)): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [plain(inner, depth + 1) for inner in value]
    return scrub(_text(value))


def _text(value: object) -> str:
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "backslashreplace")
        if isinstance(value, BaseException):
            return f"{type(value).__name__}: {value}"
        return str(value) if isinstance(value, Secret | str) else repr(value)
    except Exception:
        return f"<unprintable {type(value).__name__}>"

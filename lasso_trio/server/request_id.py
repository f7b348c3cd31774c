"""The id by which one HTTP request is found again in logs: the client's own if it is sane, otherwise made here.

Ids that we make are unique among processes (a random prefix) and count up within one, which costs less than a random id
per request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from secrets import token_hex
from typing import Final

_SANE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,200}")
_LINE: Final = re.compile(rb"^x-request-id: ([^\r\n]*)", re.MULTILINE)
_PREFIX: Final = token_hex(6)
_numbers: Final = count(1)


def made() -> str:
    """A new id: 20 hexadecimal digits, or more."""
    return f"{_PREFIX}{next(_numbers):08x}"


def of_accident(headers: Sequence[tuple[bytes, bytes]], lines: bytes) -> tuple[str, bytes]:
    """The id of a request whose handler failed, and `lines`, the header lines of its answer, with it: the client's own
    if `headers` of the request have a sane one, else the one that is in `lines`.
    """
    told = _LINE.search(lines)
    given = next((value.decode("latin-1") for name, value in headers if name == b"x-request-id"), "")
    if told is None:
        return sane(given) or "", lines
    id_ = sane(given) or told[1].decode("latin-1")
    return id_, lines[: told.start(1)] + id_.encode() + lines[told.end(1) :]


def of_lines(lines: bytes) -> str:
    """The id that an answer's header lines tell; empty if they tell none."""
    told = _LINE.search(lines)
    return "" if told is None else told[1].decode("latin-1")


def sane(given: str) -> str | None:
    """`given` if it may be repeated in headers and logs, else None."""
    return given if _SANE.fullmatch(given) else None

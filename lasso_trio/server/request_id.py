"""The id by which one HTTP request is found again in logs: the client's own if it is sane, otherwise made here.

Ids that we make are unique among processes (a random prefix) and count up within one, which costs less than a random id
per request.
"""

from __future__ import annotations

import re
from itertools import count
from secrets import token_hex
from typing import Final

_SANE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,200}")
_PREFIX: Final = token_hex(6)
_numbers: Final = count(1)


def made() -> str:
    """A new id: 20 hexadecimal digits, or more."""
    return f"{_PREFIX}{next(_numbers):08x}"


def sane(given: str) -> str | None:
    """`given` if it may be repeated in headers and logs, else None."""
    return given if _SANE.fullmatch(given) else None

"""Error texts that no row of the catalogue knows: counted, so that the operator sees what the next row should be.

Texts are kept as shapes: numbers, hexadecimal and whatever may be a key are replaced before anything is stored, so that
one text with a thousand block numbers is one entry and no secret is kept. Bounded: when it is full, the entry that was
seen least recently makes room. Pure; the clock is passed in. Whoever shows the list scrubs it once more.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

import attrs

from lasso_trio.config.secret import MASK, mask_url
from lasso_trio.providers.verdict import ErrorClass, Verdict

MOST: Final = 256
MAX_CHARS: Final = 256

_UNKNOWN: Final = frozenset({ErrorClass.UNCLASSIFIED, ErrorClass.UNKNOWN})
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}://[^\s\"'<>`]+")
_HEX = re.compile(r"\b0x[0-9a-fA-F]*")
_LONG = re.compile(r"\b(?:(?=[\w\-.]*\d)[\w\-.]{16,}|[\w\-]{28,})")
_NUMBER = re.compile(r"\d+(?:[.,_]\d+)*")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f]+")


@attrs.frozen
class UnknownError:
    """`text` is the shape, `instance` who said it last, times of the caller's clock."""

    status: int
    code: int | None
    text: str
    times: int
    instance: str
    first_at: float
    last_at: float


@attrs.define(eq=False)
class UnknownErrors:
    """`total`: all that were heard, forgotten ones too."""

    most: int = MOST
    total: int = 0
    _known: OrderedDict[tuple[int, int | None, str], UnknownError] = attrs.field(factory=OrderedDict, init=False)

    def hear(self, verdict: Verdict, status: int, code: int | None, message: str, instance: str, now: float) -> bool:
        """Count the error if `verdict` says that nobody knows it; True if its text is new."""
        if verdict.error_class not in _UNKNOWN:
            return False
        self.total += 1
        key = (status, code, shape(message))
        before = self._known.pop(key, None)
        times, first_at = (1, now) if before is None else (before.times + 1, before.first_at)
        self._known[key] = UnknownError(*key, times, instance, first_at, now)
        if len(self._known) > self.most:
            self._known.popitem(last=False)
        return before is None

    def listing(self) -> list[UnknownError]:
        """The most frequent first."""
        return sorted(self._known.values(), key=lambda one: (-one.times, -one.last_at))


def shape(message: str) -> str:
    """`message` without what differs from call to call and what may be secret."""
    text = _URL.sub(lambda found: mask_url(found[0]), message[: MAX_CHARS * 4])
    text = text.encode("ascii", "backslashreplace").decode()
    text = _LONG.sub(MASK, _HEX.sub("<hex>", text))
    return _CONTROL.sub(" ", _NUMBER.sub("#", text)).strip()[:MAX_CHARS]

"""How numbers are read out of error texts: the catalogue's [[number]] tables, as patterns.

In a pattern `#` stands for a number as people write it (`10,000`, `2K`, `1_000`) and `#x` for one in hexadecimal. Each
pattern of `suggested` has two, the first and the last block of a range that would work. Pure; never raises on a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Final

import msgspec

from lasso_trio.providers.verdict import Learning

Pattern = Annotated[str, msgspec.Meta(min_length=3, max_length=200)]

_NUMBER: Final = r"(?P<n{0}>\d[\d,_']*)\s?(?P<u{0}>[km](?![a-z]))?"
_HEX: Final = r"(?P<x{0}>0x[0-9a-f]{{1,16}})"
_UNITS: Final = {"k": 1000, "m": 1_000_000}
_MOST_DIGITS: Final = 18


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The patterns for one meaning, asked in order; the first that is found wins. Compared in lower case."""

    of: Learning
    pattern: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1)]
    seen: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    note: str = ""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the patterns, in words."""
        wanted = 2 if self.of == "suggested" else 1
        for text in self.pattern:
            try:
                compiled = _compiled(text)
            except re.error as error:
                yield f"{text!r} is no regular expression: {error}"
                continue
            if sum(name[0] in "nx" for name in compiled.groupindex) != wanted:
                yield f"{text!r} needs {wanted} of `#` or `#x`"

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(_compiled(text) for text in self.pattern)

    def find(self, text: str) -> tuple[int, ...]:
        """The numbers of the first pattern found in `text` (lower case); empty if none is."""
        for pattern in self.compiled:
            if found := pattern.search(text):
                return tuple(_values(found))
        return ()


def _compiled(text: str) -> re.Pattern[str]:
    pieces = re.split(r"(#x?)", text)
    groups = [(_HEX if piece == "#x" else _NUMBER).format(at) if at % 2 else piece for at, piece in enumerate(pieces)]
    return re.compile("".join(groups))


def _values(found: re.Match[str]) -> Iterator[int]:
    for name, text in found.groupdict().items():
        if name[0] == "x":
            yield int(text, 16)
        elif name[0] == "n":
            digits = re.sub(r"[^\d]", "", text)[:_MOST_DIGITS]
            yield int(digits) * _UNITS.get(found[f"u{name[1:]}"] or "", 1)

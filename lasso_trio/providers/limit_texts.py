"""Reads limits out of error texts: which refusals of `eth_getLogs` mean "too large", of what, and the number named.

The texts are vendors' own, collected from clients, vendors and peers. A refusal may tell several things (a cap on
results and a block range that would work). Pure; never raises; what is not understood teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lasso_trio.providers.learned import Kind, Learned

MAX_CHARS: Final = 2048

_NUMBER: Final = r"(\d[\d,_']*)\s?([km](?![a-z]))?"


def _patterns(*texts: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text.replace("#", _NUMBER)) for text in texts)


_SUGGESTED: Final = re.compile(
    r"\[\s*(0x[0-9a-f]{1,16})\s*,\s*(0x[0-9a-f]{1,16})\s*\]|retry with the range (\d+)-(\d+)"
)
_EARLIEST: Final = _patterns(r"earliest available(?: block)? is #", r"lowest height is #")

_RULES: Final = (
    # Which fragments mean the kind at all, and where the number stands if there is one; first hit per kind. Gas has
    # limits too, and a rate is no size: these are kept out by asking for the thing that is limited.
    (
        Kind.ADDRESSES,
        re.compile(
            r"number of addresses|number of address\b|max addresses|too many addresses|addresses or topics per search|"
            r"addresses.{0,40}(?:limit|exceed)|(?:limit|exceed).{0,40}addresses"
        ),
        _patterns(
            r"current limit is #", r"(?:max(?:imum)?|limit|most|up to|exceeds?|than)[^0-9]{0,40}?#", r"# address"
        ),
    ),
    (
        Kind.RESULTS,
        re.compile(
            r"returned more than|max results|too many results|too many logs|result set too large|result limit exceeded|"
            r"try paginating|logs matched by query exceeds|logs are limited to|logs over more|"
            r"more than [\d,_]+k? (?:results|logs)|query exceeds limit|logs in the response"
        ),
        _patterns(
            r"(?:returned more than|more than|max results(?: of)?|exceeds limit of|limited to a?) ?#",
            r"cap of # logs",
            r"# (?:results|logs)",
        ),
    ),
    (
        Kind.BYTES,
        re.compile(
            r"response (?:is )?too (?:large|big)|response size|exceeded max limit of|exceeds max(?:imum)? response|"
            r"result (?:is )?too (?:large|big)|backend response too large"
        ),
        _patterns(r"exceeded max limit of #", r"size[^0-9]{0,60}?# ?(?:bytes|b\b)", r"# bytes"),
    ),
    (
        Kind.BLOCKS,
        re.compile(
            r"block range|range too (?:large|wide)|range is too (?:large|wide)|exceeds the range|max range|"
            r"range limit exceeded|exceeds server limit|blocks distance|limit the query to|"
            r"is limited to .*(?:block|range)|"
            r"limited to a .*range|eth_getlogs is limited|ranges over|too many blocks|number of requested blocks|"
            r"max is .*blocks|block count exceeds|range.{0,30}exceeds limit|exceeds maximum block|\d+k? blocks"
        ),
        _patterns(
            r"\(\d+ ?> ?#\)",
            r"(?:limit|maximum|max) (?:of|is|to|to at most) #",
            r"(?:up to a|up to|at most|limited to a|limited to|ranges over|less than|more than|maximum of) #",
            r"(?:max|limit|maximum)[^0-9.]{0,60}#",
            r"# ?-?blocks?",
        ),
    ),
)


def read_limits(text: str) -> tuple[Learned, ...]:
    """What a refusal tells about limits; empty when it is about something else."""
    return tuple(_read(text[:MAX_CHARS].lower()))


def _read(text: str) -> Iterator[Learned]:
    if "gas" in text and "block range" not in text:
        return
    suggested = _suggested(text)
    if suggested is not None:
        yield Learned(Kind.SUGGESTED, suggested)
    if (earliest := _first(_EARLIEST, text)) is not None:
        yield Learned(Kind.EARLIEST, earliest)
        return
    for kind, fragments, numbers in _RULES:
        if fragments.search(text):
            yield Learned(kind, _first(numbers, text))
            return


def _suggested(text: str) -> int | None:
    match = _SUGGESTED.search(text)
    if match is None:
        return None
    low, high = (int(part, 0) if part.startswith("0x") else int(part) for part in match.groups() if part is not None)
    return high - low + 1 if high >= low else None


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        if match := pattern.search(text):
            digits, unit = match.group(1), match.group(2)
            return int(re.sub(r"[^\d]", "", digits)[:18]) * {"k": 1000, "m": 1_000_000}.get(unit or "", 1)
    return None

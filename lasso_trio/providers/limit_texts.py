"""Reads limits out of error texts: which refusals mean "too large" or "too old", of what, and the number named.

All words are the catalogue's: its rows say what a text is about (`learning`), its [[number]] tables where the number
stands. A refusal may tell several things (a cap on results and a block range that would work). Pure but for which
catalogue is in force; never raises; what is not understood teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lasso_trio.providers.catalogue import Catalogue, current
from lasso_trio.providers.learned import Kind, Learned
from lasso_trio.providers.verdict import Learning

MAX_CHARS: Final = 2048

_KINDS: Final[dict[Learning, Kind]] = {
    "range": Kind.BLOCKS,
    "results": Kind.RESULTS,
    "size": Kind.BYTES,
    "address_count": Kind.ADDRESSES,
    "topic_count": Kind.TOPICS,
    "archive": Kind.EARLIEST,
}


def read_limits(text: str, learning: Learning | None = None) -> tuple[Learned, ...]:
    """What a refusal tells about limits; empty when it is about something else.

    `learning`: what the row teaches that judged it, for texts that name nothing (a code or a status was enough).
    """
    return tuple(_read(current(), text[:MAX_CHARS].lower(), learning))


def _read(catalogue: Catalogue, text: str, learning: Learning | None) -> Iterator[Learned]:
    taught: list[Learning | None] = [*catalogue.lessons_of(text)] or [learning]
    suggested = _suggested(catalogue, text)
    if suggested is not None:
        yield Learned(Kind.SUGGESTED, suggested)
    about = next((one for one in taught if one in _KINDS), None)
    if about is None and suggested is None and "suggested" in taught:
        about = "range"
    if about is None:
        return
    kind, value = _KINDS[about], next(iter(catalogue.numbers_in(text, about)), None)
    if value is not None or kind is not Kind.EARLIEST:
        yield Learned(kind, value)


def _suggested(catalogue: Catalogue, text: str) -> int | None:
    """How many blocks a proposed range has."""
    bounds = catalogue.numbers_in(text, "suggested")
    return bounds[1] - bounds[0] + 1 if len(bounds) == 2 and bounds[1] >= bounds[0] else None

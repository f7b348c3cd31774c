"""Problems gathered while one file is read.

Reading never stops at the first mistake: readers note it here, go on with a stand-in, and whoever started the reading
decides at the end. A value read under a report that holds problems must not be used.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import attrs

from lasso_trio.errors import Problem


@attrs.define
class Report:
    """The problems of `file`, in the order they were met."""

    file: str
    problems: list[Problem] = attrs.field(factory=list)

    def add(self, line: int | None, what: str, hint: str | None = None) -> None:
        self.problems.append(Problem(self.file, line, what, hint))

    def in_order(self) -> tuple[Problem, ...]:
        """Problems as they stand in the file, each once; those without a line come first."""
        return tuple(sorted(dict.fromkeys(self.problems), key=lambda problem: problem.line or 0))


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that `word` was probably meant to be, or None when nothing is close."""
    by_folded = {option.lower(): str(option) for option in valid}
    close = get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None

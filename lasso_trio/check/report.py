"""What the whole check came to: the rows' results, the exit code, and the shape of `--json`.

The shape is for other programs: members may be added, none is taken away or changed without `format` saying so.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from lasso_trio import __version__
from lasso_trio.check.checklist import FAMILY_OF
from lasso_trio.check.row import Row
from lasso_trio.check.verdict import State, Verdict

FORMAT: Final = 1
FAILED: Final = 1
INCOMPLETE: Final = 2


@attrs.frozen
class Result:
    row: Row
    verdict: Verdict

    @property
    def state(self) -> State:
        return self.verdict.state

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.row.id,
            "title": self.row.title,
            "family": FAMILY_OF.get(self.row.id, ""),
            "state": self.state.value,
            "why": self.verdict.why,
            "todo": self.verdict.todo,
            "docs": self.row.docs,
            "figures": dict(self.verdict.figures),
        }


@attrs.frozen
class Report:
    """`seconds`: how long it took. `remarks`: what must be read whatever the rows say. `strict`: a warning fails."""

    url: str | None
    results: tuple[Result, ...]
    seconds: float = 0.0
    interrupted: bool = False
    remarks: tuple[str, ...] = ()
    strict: bool = False
    unable: tuple[str, ...] = ()
    """Why what was asked for could not be done."""
    at: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(result.state for result in self.results)
        return {state.value: found[state] for state in State}

    @property
    def exit_code(self) -> int:
        """1 a row failed; 2 not all that was asked for could be looked at; 0."""
        bad = {State.FAIL, State.WARN} if self.strict else {State.FAIL}
        if any(result.state in bad for result in self.results):
            return FAILED
        return INCOMPLETE if self.interrupted or self.unable else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": __version__,
            "at": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "url": self.url,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
            "counts": self.counts,
            "unable": list(self.unable),
            "remarks": list(self.remarks),
            "checks": [result.to_json() for result in self.results],
        }

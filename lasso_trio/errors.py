"""The root of every error this package raises on purpose.

Families answer two questions for the layer above: whose fault was it, and what may be tried next?
`ConfigError` is the operator's, `UpstreamFault` (see `lasso_trio.upstream.faults`) the provider's or the network's,
`RpcError` (see `lasso_trio.jsonrpc.errors`) is what a client is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


class LassoError(Exception):
    """Abstract root; never raised itself."""


@attrs.frozen
class Problem:
    """One thing that is wrong in a configuration, ready to print.

    `str()` gives `file:line: what is wrong (did you mean …?)`; the line is left out when unknown.
    """

    file: str
    line: int | None
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        tail = f" (did you mean {self.hint!r}?)" if self.hint else ""
        return f"{where}: {self.what}{tail}"


class ConfigError(LassoError):
    """The configuration cannot be used. Carries every problem found, not the first one. Exit code 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

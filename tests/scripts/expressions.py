"""Which metrics and labels a PromQL expression names: enough of the language for our own rules and panels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lasso_trio.metrics.registry import BY_NAME, PROCESS
from lasso_trio.telemetry.prometheus import Kind

_SELECTOR: Final = re.compile(r"\b((?:lasso|process)_\w+|up\b)\s*(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING: Final = re.compile(r"\b(?:by|without|on|group_left|group_right)\s*\(([^)]*)\)")
_OF_ALL: Final = {"instance", "job"}
"""Given by Prometheus to whatever it scrapes."""


def labels_of(name: str) -> set[str] | None:
    """The labels of the series of that name; None where there are no such series."""
    if name == "up" or name in PROCESS:
        return set(_OF_ALL)
    if name in BY_NAME and BY_NAME[name].kind is not Kind.HISTOGRAM:
        return _OF_ALL | set(BY_NAME[name].labels)
    stem, _, suffix = name.rpartition("_")
    if stem in BY_NAME and BY_NAME[stem].kind is Kind.HISTOGRAM and suffix in ("bucket", "count", "sum"):
        return _OF_ALL | set(BY_NAME[stem].labels) | ({"le"} if suffix == "bucket" else set())
    return None


def problems(expression: str) -> Iterator[str]:
    """Metrics and labels that do not exist."""
    found = list(_SELECTOR.finditer(expression))
    if not found:
        yield f"names no metric: {expression}"
    known: set[str] = set()
    for selector in found:
        labels = labels_of(selector[1])
        if labels is None:
            yield f"there is no {selector[1]}"
            continue
        known |= labels
        yield from (
            f"{selector[1]} has no {name}" for name in _MATCHER.findall(selector[2] or "") if name not in labels
        )
    for group in _GROUPING.findall(expression):
        yield from (f"nothing has {name}" for name in re.findall(r"\w+", group) if name not in known)

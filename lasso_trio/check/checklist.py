"""All rows in the order of the checklist, and the choice of some of them."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from lasso_trio.check import environment, health, monitoring, network, profiles, recovery
from lasso_trio.check.row import Row

FAMILIES: Final = {
    "environment": environment.ROWS,
    "profiles": profiles.ROWS,
    "health": health.ROWS,
    "monitoring": monitoring.ROWS,
    "network": network.ROWS,
    "recovery": recovery.ROWS,
}
ROWS: Final[tuple[Row, ...]] = tuple(row for rows in FAMILIES.values() for row in rows)
FAMILY_OF: Final = {row.id: family for family, rows in FAMILIES.items() for row in rows}


def ids(texts: Collection[str]) -> list[str]:
    """`("e1,P5", "health")` as ids: a family's name stands for its rows."""
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    return [id_ for name in names for id_ in _expanded(name)]


def _expanded(name: str) -> list[str]:
    family = FAMILIES.get(name.lower())
    return [name.upper()] if family is None else [row.id for row in family]


def unknown(names: Collection[str]) -> list[str]:
    """What to say of names that are no row's."""
    said = []
    for name in names:
        if name not in FAMILY_OF:
            near = get_close_matches(name, FAMILY_OF, n=1)
            said.append(f"no check {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return said


def chosen(only: Collection[str], skip: Collection[str]) -> tuple[Row, ...]:
    """Every row unless `only` names some, less those of `skip`; both hold ids."""
    return tuple(row for row in ROWS if (not only or row.id in only) and row.id not in skip)

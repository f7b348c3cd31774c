"""An operator's own rows, laid over the shipped catalogue: a vendor's new words need not wait for a release.

The file has the catalogue's format (`catalogue_file`), and any of its sections. A row with the name of a shipped one
takes its place; other rows, and patterns of numbers, are asked before the shipped ones of their section.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lasso_trio.errors import ConfigError, Problem
from lasso_trio.providers.catalogue import SHIPPED, Catalogue, build
from lasso_trio.providers.catalogue_file import CatalogueError, Contents, Row, read_file

Rows = Mapping[str, tuple[Row, ...]]


def load_over(path: Path | None) -> Catalogue:
    """The shipped catalogue with the rows of `path` over it; None: as shipped. Blocks. Raises ConfigError."""
    shipped = read_file(SHIPPED)
    if path is None:
        return build(shipped.rows, shipped.numbers)
    try:
        own = read_file(path, whole=False)
    except CatalogueError as error:
        raise ConfigError([Problem(str(path), error.line or None, error.what)]) from error
    _check_names(path, own.rows, shipped.rows)
    both = over(own, shipped)
    return build(both.rows, both.numbers)


def over(own: Contents, shipped: Contents) -> Contents:
    """`shipped` with `own` over it."""
    rows = {section: _section(own.rows[section], members) for section, members in shipped.rows.items()}
    return Contents(rows, (*own.numbers, *shipped.numbers))


def _section(own: tuple[Row, ...], shipped: tuple[Row, ...]) -> tuple[Row, ...]:
    named = {row.name: row for row in own}
    theirs = {row.name for row in shipped}
    first = (row for row in own if row.name not in theirs)
    return (*first, *(named.get(row.name, row) for row in shipped))


def _check_names(path: Path, own: Rows, shipped: Rows) -> None:
    """A shipped row's name in another section would make a second row of that name, and replace nothing."""
    at = {row.name: section for section, rows in shipped.items() for row in rows}
    problems = [
        Problem(str(path), None, f"{row.name}: the shipped row of that name is in [[{at[row.name]}]]")
        for section, rows in own.items()
        for row in rows
        if at.get(row.name, section) != section
    ]
    if problems:
        raise ConfigError(problems)

"""The error catalogue: which code, text, data or HTTP status of a provider means what. Facts from `catalogue.toml`.

This room compiles the file's rows (`catalogue_file`) into what `classify` asks, section by section; inside a section
the first row that fits wins. Which catalogue is in force is the one piece of state: `use` swaps it between two calls,
and nobody keeps a part of the old one. Whoever wants to know what a row means without an error at hand reads `rows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from lasso_trio.providers.catalogue_file import SECTIONS, CatalogueError, Row, read_file
from lasso_trio.providers.number_patterns import Number
from lasso_trio.providers.verdict import (
    CATEGORY_OF,
    VERDICTS,
    Category,
    ErrorClass,
    Kind,
    Learning,
    Verdict,
    verdict_of,
)

__all__ = [
    "SECTIONS", "SHIPPED", "VERDICTS", "Catalogue", "CatalogueError", "Category", "ErrorClass", "Kind", "Row", "Rule",
    "Verdict", "build", "current", "load", "use",
]  # fmt: skip

SHIPPED: Final = Path(__file__).with_name("catalogue.toml")

SENDS: Final = frozenset({
    "eth_sendRawTransaction", "eth_sendTransaction", "eth_sendRawTransactionSync", "eth_sendRawTransactionConditional",
    "eth_sendPrivateTransaction", "eth_sendPrivateRawTransaction", "eth_sendBundle", "eth_sendUserOperation",
})  # fmt: skip
"""Methods for which a row's `sent` holds: what refuses a call refuses a transaction for another reason."""


@attrs.frozen(eq=False)
class Rule:
    """A row, compiled. `also`: all of these in the text too; `unless`: none of these; `codes` None: any."""

    verdict: Verdict
    sent: Verdict
    also: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    codes: frozenset[int] | None = None
    texts: tuple[str, ...] = ()
    heeds: frozenset[ErrorClass] = frozenset()
    bare: bool = False

    def judge(self, code: int | None, text: str, sending: bool) -> Verdict | None:
        """The verdict if the row's conditions beyond its section's key hold; `sending`: a transaction was."""
        if self.codes is not None and code not in self.codes:
            return None
        if self.bare and code is not None:
            return None
        if self.unless and any(fragment in text for fragment in self.unless):
            return None
        if self.also and not all(fragment in text for fragment in self.also):
            return None
        return self.sent if sending else self.verdict


@attrs.frozen(eq=False)
class Catalogue:
    """All rows, in the order in which they are asked, and the same compiled for `classify`. Equal only to itself."""

    rows: Mapping[str, tuple[Row, ...]]
    statuses: Mapping[int, tuple[Rule, ...]]
    data: re.Pattern[str]
    raw_data: re.Pattern[bytes]
    data_rule: Rule
    beginnings: tuple[tuple[str, Rule], ...]
    firm_codes: Mapping[int, Rule]
    fragments: tuple[tuple[str, Rule], ...]
    codes: Mapping[int, Rule]
    code_ranges: tuple[tuple[int, int, Rule], ...]
    last: tuple[tuple[int, int, Rule], ...]
    lessons: tuple[tuple[str, Rule], ...]
    numbers: tuple[Number, ...]

    def lessons_of(self, text: str) -> list[Learning]:
        """What all the rows that know `text` (lower case) teach of limits, in their order."""
        known = (rule.judge(None, text, sending=False) for fragment, rule in self.lessons if fragment in text)
        return [verdict.learning for verdict in known if verdict is not None and verdict.learning is not None]

    def numbers_in(self, text: str, of: Learning) -> tuple[int, ...]:
        """The numbers that `text` (lower case) names of such a limit; empty if it names none."""
        return next((found for number in self.numbers if number.of == of and (found := number.find(text))), ())

    def __repr__(self) -> str:
        return f"<Catalogue {sum(len(rows) for rows in self.rows.values())} rows>"


def load(path: Path) -> Catalogue:
    """Read a catalogue. Raises CatalogueError, which names the line."""
    contents = read_file(path)
    return build(contents.rows, contents.numbers)


def build(rows: Mapping[str, tuple[Row, ...]], numbers: tuple[Number, ...] = ()) -> Catalogue:
    """Compile what `read_file` has passed."""
    ruled = {section: [(row, _rule(row)) for row in rows[section]] for section in SECTIONS}
    prefixes = [prefix for row, _ in ruled["data"] for prefix in row.data]
    pattern = "|".join(re.escape(prefix) for prefix in prefixes)
    return Catalogue(
        rows=rows,
        statuses=_by_number((status, rule) for row, rule in ruled["status"] for status in row.status),
        data=re.compile(pattern, re.IGNORECASE),
        # Raw JSON: a string, or an object that holds one under "data" near its beginning.
        raw_data=re.compile(rb'\s*(?:\{[^{}]{0,256}?"data"\s*:\s*)?"(?:' + pattern.encode() + rb")", re.IGNORECASE),
        data_rule=ruled["data"][0][1],
        beginnings=tuple((text, rule) for row, rule in ruled["beginning"] for text in row.text),
        firm_codes={code: rule for row, rule in reversed(ruled["firm_code"]) for code in row.code},
        fragments=tuple((text, rule) for row, rule in ruled["text"] for text in row.text),
        codes={code: rule for row, rule in reversed(ruled["code"]) for code in row.code},
        code_ranges=_ranges(ruled["code"]),
        last=_ranges(ruled["last"]),
        lessons=tuple((text, rule) for row, rule in ruled["text"] if _teaches_limits(row) for text in row.text),
        numbers=numbers,
    )


def _teaches_limits(row: Row) -> bool:
    return row.error_class in (ErrorClass.SPLIT, ErrorClass.PRUNED)


def _rule(row: Row) -> Rule:
    verdict = _verdict(row, row.error_class, row.category)
    return Rule(
        verdict=verdict,
        sent=verdict if row.sent is None else _verdict(row, row.sent, None),
        also=row.also,
        unless=row.unless,
        codes=frozenset(row.code) if row.code else None,
        texts=row.text,
        heeds=frozenset(row.heeds),
        bare=row.bare,
    )


def _verdict(row: Row, error_class: ErrorClass, category: Category | None) -> Verdict:
    return verdict_of(category or CATEGORY_OF[error_class], error_class, row.learning, row.name)


def _by_number(pairs: Iterator[tuple[int, Rule]]) -> dict[int, tuple[Rule, ...]]:
    table: dict[int, tuple[Rule, ...]] = {}
    for number, rule in pairs:
        table[number] = (*table.get(number, ()), rule)
    return table


def _ranges(ruled: list[tuple[Row, Rule]]) -> tuple[tuple[int, int, Rule], ...]:
    """Spans of numbers, single ones too where the row has statuses."""
    singles = ((status, status, rule) for row, rule in ruled for status in row.status)
    spans = ((*row.between, rule) for row, rule in ruled if row.between is not None)
    return (*singles, *spans)


@attrs.define
class _InForce:
    catalogue: Catalogue


_in_force: Final = _InForce(load(SHIPPED))


def current() -> Catalogue:
    """The catalogue in force."""
    return _in_force.catalogue


def use(catalogue: Catalogue) -> Catalogue:
    """From now on judge by `catalogue`. Returns the one that was in force."""
    before, _in_force.catalogue = _in_force.catalogue, catalogue
    return before

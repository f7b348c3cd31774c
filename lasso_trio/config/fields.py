"""One mapping of a profile, read field by field, strictly.

A reader asks for a field by name and type and gets the value or its default; whatever is wrong goes to the report with
the line of the key, and the default stands in. Types are YAML's: `5` is an integer and `"5"` text. `null` (or nothing
after the colon) means "not given" for fields whose default is None, and is a mistake anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from lasso_trio.config.document import Items, Node, Scalar, Table
from lasso_trio.config.report import Report, nearest

T = TypeVar("T")

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DECIMAL: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,12})?")
_LARGEST: Final = 2**63 - 1
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Fields:
    """The mapping `table`, called `kind` in messages. Keys that are not in `known` are reported at once."""

    def __init__(self, table: Table, kind: str, known: Collection[str], report: Report) -> None:
        self.kind = kind
        self.report = report
        self.own_line = table.line
        self._values = {key.text: (key, value) for key, value in table.pairs}
        for key, _ in table.pairs:
            if key.text not in known:
                report.add(key.line, f"unknown key {key.text!r} in {kind}", nearest(key.text, known))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def node(self, key: str) -> Node | None:
        """The value of `key`; None when it is absent or null."""
        value = self._values[key][1] if key in self._values else None
        return None if isinstance(value, Scalar) and value.is_null else value

    def line(self, key: str) -> int:
        """The line of `key`, or of the mapping itself when the key is absent."""
        return self._values[key][0].line if key in self._values else self.own_line

    def complain(self, key: str, what: str, hint: str | None = None) -> None:
        self.report.add(self.line(key), what, hint)

    def require(self, key: str) -> None:
        if key not in self._values:
            self.report.add(self.own_line, f"{self.kind} needs {key!r}")

    def first_of(self, *keys: str) -> str:
        """The first of several names of one field that is given (the first of all when none is)."""
        return next((key for key in keys if key in self._values), keys[0])

    def text(self, key: str, default: T) -> str | T:
        scalar = self._scalar(key, default, "text")
        if scalar is None:
            return default
        if not scalar.text.strip():
            self.complain(key, f"{key!r} must not be blank")
            return default
        return scalar.text

    def scalar(self, key: str) -> Scalar | None:
        """The value with its written form, for fields that may hold secrets; None when absent, null or not text."""
        return self._scalar(key, None, "text")

    def integer(self, key: str, default: T, *, least: int | None = None) -> int | T:
        scalar = self._scalar(key, default, "an integer")
        number = None if scalar is None else integer_in(scalar)
        if number is not None and (least is None or number >= least):
            return number
        if scalar is not None:
            self.complain(key, f"{key!r} must be {_integer_kind(least)}, found {found(scalar)}")
        return default

    def share(self, key: str, default: float) -> float:
        """A decimal number between 0 and 1, both included."""
        scalar = self._scalar(key, default, "a number")
        if scalar is None:
            return default
        if unquoted(scalar) and _DECIMAL.fullmatch(scalar.text) and float(scalar.text) <= 1:
            return float(scalar.text)
        self.complain(key, f"{key!r} must be a number from 0 to 1, found {found(scalar)}")
        return default

    def boolean(self, key: str, default: bool) -> bool:
        scalar = self._scalar(key, default, "true or false")
        if scalar is None:
            return default
        if scalar.text in _BOOLEANS and unquoted(scalar):
            return _BOOLEANS[scalar.text]
        self.complain(key, f"{key!r} must be true or false, found {found(scalar)}")
        return default

    def choice(self, key: str, valid: Mapping[str, T], default: T) -> T:
        scalar = self._scalar(key, default, "one word")
        if scalar is None:
            return default
        if scalar.text not in valid:
            self.complain(key, *not_one_of(f"{key!r}", scalar, valid))
        return valid.get(scalar.text, default)

    def texts(self, key: str) -> tuple[Scalar, ...]:
        """A list of non-blank words, without those that are wrong; empty when absent."""
        if key not in self._values:
            return ()
        node = self._values[key][1]
        if not isinstance(node, Items):
            self.complain(key, f"{key!r} must be a list of strings, found {found(node)}")
            return ()
        return tuple(self._words(key, node.nodes))

    def section(self, key: str, known: Collection[str], kind: str | None = None) -> Fields | None:
        """The mapping under `key`; None when it is absent or no mapping."""
        table = self.table(key)
        return None if table is None else Fields(table, kind or key, known, self.report)

    def table(self, key: str) -> Table | None:
        if key not in self._values:
            return None
        node = self._values[key][1]
        if isinstance(node, Table):
            return node
        self.complain(key, f"{key!r} must hold `key: value` lines, found {found(node)}")
        return None

    def _scalar(self, key: str, default: object, wanted: str) -> Scalar | None:
        if key not in self._values:
            return None
        node = self._values[key][1]
        if isinstance(node, Scalar) and not node.is_null:
            return None if node.unresolved else node
        if isinstance(node, Scalar) and default is None:
            return None
        self.complain(key, f"{key!r} must be {wanted}, found {found(node)}")
        return None

    def _words(self, key: str, nodes: Iterable[Node]) -> Iterator[Scalar]:
        for node in nodes:
            if not isinstance(node, Scalar) or node.is_null:
                self.report.add(node.line, f"{key!r} must be a list of strings, but holds {found(node)}")
            elif not node.text.strip():
                self.report.add(node.line, f"{key!r} must not hold blank words")
            elif not node.unresolved:
                yield node


def integer_in(scalar: Scalar) -> int | None:
    """The integer that is written; None for anything else, quoted digits included."""
    if not unquoted(scalar) or not _INTEGER.fullmatch(scalar.text):
        return None
    number = int(scalar.text)
    return number if abs(number) <= _LARGEST else None


def unquoted(scalar: Scalar) -> bool:
    """Whether the text may be a number or a boolean. `"${PORT}"` may: there the quotes only protect the braces."""
    return scalar.plain or scalar.written is not None


def found(node: Node) -> str:
    """What stands there, for a message: short, and never with a secret put in from the environment."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.is_null:
        return "nothing"
    shown = node.shown if len(node.shown) <= 40 else node.shown[:39] + "…"
    return repr(shown) if node.plain else f"the text {shown!r} in quotes"


def not_one_of(what: str, scalar: Scalar, valid: Collection[str]) -> tuple[str, str | None]:
    """Message and hint for a word that is not among the few that are allowed."""
    return f"{what} must be one of {', '.join(valid)}; found {found(scalar)}", nearest(scalar.shown, valid)


def _integer_kind(least: int | None) -> str:
    names = {None: "an integer", 0: "a non-negative integer", 1: "a positive integer"}
    return names.get(least, f"an integer of at least {least}")

"""The catalogue's file format: TOML, one array of tables per section, checked down to the line before anything uses it.

Sections are asked in the order of `SECTIONS` and rows in the file's. A row says what it needs to see and which class
that is; keys that its section does not ask are refused, because a condition that nobody looks at is a wrong row. Beside
the rows stand the patterns by which numbers are read out of texts (`number_patterns`).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from lasso_trio.errors import LassoError
from lasso_trio.providers.number_patterns import Number
from lasso_trio.providers.verdict import Category, ErrorClass, Learning

SECTIONS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    # section: what it is, and the keys of which a row must have one; the second set is what it may have besides
    "status": ("the HTTP status, before the body is looked at", frozenset({"status"})),
    "data": ("what `error.data` begins with", frozenset({"data"})),
    "beginning": (
        "what the text begins with: the rest was written by a contract or by the client",
        frozenset({"text"}),
    ),
    "firm_code": ("codes that decide, unless the text is of a class they heed", frozenset({"code"})),
    "text": ("what the text holds", frozenset({"text"})),
    "code": ("the code", frozenset({"code", "between"})),
    "last": ("the HTTP status, when nothing else is known", frozenset({"status", "between"})),
}
_BESIDES: Final[Mapping[str, frozenset[str]]] = {
    "status": frozenset({"text", "also", "unless", "code", "bare", "sent"}),
    "data": frozenset(),
    "beginning": frozenset({"also", "unless", "code", "sent"}),
    "firm_code": frozenset({"heeds"}),
    "text": frozenset({"also", "unless", "code", "sent"}),
    "code": frozenset(),
    "last": frozenset(),
}
_ALWAYS: Final = frozenset({"name", "error_class", "category", "learning", "seen", "note"})

Fragment = Annotated[str, msgspec.Meta(min_length=3, max_length=120)]
Status = Annotated[int, msgspec.Meta(ge=100, le=599)]


class CatalogueError(LassoError):
    """The file is not a catalogue. `line` is 1-based, 0 where there is none to name."""

    def __init__(self, path: Path, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}" if line else f"{path}: {what}")
        self.path = path
        self.line = line
        self.what = what


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"error_class": "class"}):
    """One row. `text`: any of these; `also`: and all of these; `unless`: and none of these. All lower case.

    `sent`: the class instead when a transaction is being sent. `bare`: only where the body holds no JSON-RPC error.
    `seen`: vendors and clients it was reported of; for people, nothing is decided by it.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=48)]
    error_class: ErrorClass
    seen: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    category: Category | None = None
    learning: Learning | None = None
    sent: ErrorClass | None = None
    status: tuple[Status, ...] = ()
    code: tuple[int, ...] = ()
    between: tuple[int, int] | None = None
    data: tuple[Fragment, ...] = ()
    text: tuple[Fragment, ...] = ()
    also: tuple[Fragment, ...] = ()
    unless: tuple[Fragment, ...] = ()
    heeds: tuple[ErrorClass, ...] = ()
    bare: bool = False
    note: str = ""

    def given(self) -> frozenset[str]:
        """The keys that were set to something."""
        defaults = zip(self.__struct_fields__[3:], self.__struct_defaults__, strict=True)
        return frozenset(name for name, default in defaults if getattr(self, name) != default)


class Contents(msgspec.Struct, frozen=True):
    """What a file says: the rows of each section, and the patterns of numbers."""

    rows: Mapping[str, tuple[Row, ...]]
    numbers: tuple[Number, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: tuple[Row, ...] = ()
    data: tuple[Row, ...] = ()
    beginning: tuple[Row, ...] = ()
    firm_code: tuple[Row, ...] = ()
    text: tuple[Row, ...] = ()
    code: tuple[Row, ...] = ()
    last: tuple[Row, ...] = ()
    number: tuple[Number, ...] = ()


_AT: Final = re.compile(r" - at `\$\.(\w+)\[(\d+)\]")
_TOML_LINE: Final = re.compile(r"at line (\d+)")


def read_file(path: Path, *, whole: bool = True) -> Contents:
    """What the file says. Raises CatalogueError on the first thing that is wrong, a missing section if `whole`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(path, 0, f"cannot be read: {error}") from error
    return parse(text, path, whole=whole)


def parse(text: str, path: Path, *, whole: bool = True) -> Contents:
    """As `read_file`, of a text that stands for the file at `path`."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        raise CatalogueError(path, int(found[1]) if found else 0, f"no TOML: {error}") from error
    except msgspec.ValidationError as error:
        at = _AT.search(str(error))
        raise CatalogueError(path, _line(text, at[1], int(at[2])) if at else 0, str(error)) from error
    rows: dict[str, tuple[Row, ...]] = {section: getattr(file, section) for section in SECTIONS}
    for section, index, what in (*_missing(rows, whole), *_mistakes(rows), *_number_mistakes(file.number)):
        raise CatalogueError(path, _line(text, section, index), what)
    return Contents(rows, file.number)


def _line(text: str, section: str, index: int) -> int:
    """Where the section's row number `index` begins; 0 if rows are not written as `[[section]]`."""
    headers = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == f"[[{section}]]"]
    return headers[index] if index < len(headers) else 0


def _missing(rows: Mapping[str, tuple[Row, ...]], whole: bool) -> Iterator[tuple[str, int, str]]:
    yield from ((section, 0, f"no [[{section}]] row") for section, members in rows.items() if whole and not members)


def _mistakes(rows: Mapping[str, tuple[Row, ...]]) -> Iterator[tuple[str, int, str]]:
    names: Counter[str] = Counter()
    keys: Counter[object] = Counter()
    for section, members in rows.items():
        for index, row in enumerate(members):
            names[row.name] += 1
            if names[row.name] > 1:
                yield section, index, f"a second row is called {row.name}"
            for key in _exclusive(section, row):
                keys[key] += 1
                if keys[key] > 1:
                    yield section, index, f"{row.name}: {key[1]!r} is in another row of this section"
            yield from ((section, index, f"{row.name}: {what}") for what in _row_mistakes(section, row))


def _number_mistakes(numbers: tuple[Number, ...]) -> Iterator[tuple[str, int, str]]:
    for index, number in enumerate(numbers):
        yield from (("number", index, f"{number.of}: {what}") for what in number.mistakes())


def _exclusive(section: str, row: Row) -> Iterator[tuple[str, object]]:
    """What may stand in one row of the section only."""
    if section in ("firm_code", "code"):
        yield from ((section, code) for code in row.code)
    if section in ("beginning", "text") and not (row.also or row.unless or row.code):
        yield from ((section, fragment) for fragment in row.text)


def _row_mistakes(section: str, row: Row) -> Iterator[str]:
    needed = SECTIONS[section][1]
    given = row.given()
    if not given & needed:
        yield f"[[{section}]] asks for {' or '.join(sorted(needed))}"
    if odd := given - needed - _BESIDES[section] - _ALWAYS:
        yield f"[[{section}]] does not look at {', '.join(sorted(odd))}"
    if any(part != part.lower() for part in (*row.text, *row.also, *row.unless, *row.data)):
        yield "texts are compared in lower case"
    if section == "data" and row.error_class is not ErrorClass.REVERT:
        yield "what data begins with tells of reverts only"
    if row.error_class is ErrorClass.SPLIT and row.learning is None:
        yield "a split says what is learned: range, results, size, address_count or topic_count"
    if row.between is not None and row.between[0] > row.between[1]:
        yield "between is [lowest, highest]"

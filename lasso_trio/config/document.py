"""YAML text as a tree in which every key and value knows its line.

strictyaml's own loader class decides what is YAML here: no tags, no anchors, one document; flow lists are allowed. It
is stopped after composing, because its finished documents lose positions, report one mistake at a time and cost four
times as much; what it would do next (refuse duplicate keys) is done below, for all of them.

Scalars stay text: which type a field has is the reader's business (see `fields`), so `no` is no boolean by accident.
A file may be front matter and body (`---`, mapping, `---`, mapping); both then count as one mapping. The body is parsed
behind as many empty lines as the front matter has, so its line numbers are the file's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import attrs
from strictyaml.exceptions import AnchorTokenDisallowed, TagTokenDisallowed
from strictyaml.parser import StrictYAMLLoader
from strictyaml.ruamel.error import MarkedYAMLError

from lasso_trio.config.report import Report

_MARKER: Final = re.compile(r"^---[ \t]*(?:#[^\n]*)?\r?$", re.MULTILINE)
_ONLY_BLANK: Final = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*")


@attrs.frozen
class Scalar:
    """One piece of text. `written` is how it stands in the file, before any `${NAME}` was replaced: safe to show."""

    text: str
    line: int
    plain: bool = True
    written: str | None = None
    unresolved: bool = False
    """A reference in it could not be replaced; that was reported, and nothing else need be said about this value."""
    source: str = ""
    """The slice of the file, kept only where a `${` must be found again on one of several lines."""

    @property
    def shown(self) -> str:
        return self.text if self.written is None else self.written

    @property
    def is_null(self) -> bool:
        return self.plain and self.written is None and self.text in ("", "~", "null", "Null", "NULL")


@attrs.frozen
class Items:
    nodes: tuple[Node, ...]
    line: int


@attrs.frozen
class Table:
    """A mapping. `line` is the line of the key it belongs to (of its first key for a list item or a whole file)."""

    pairs: tuple[tuple[Scalar, Node], ...]
    line: int


MOST_LEVELS: Final = 64
"""Of nesting; no profile needs ten."""
TOO_DEEP: Final = "not valid YAML: nested too deeply"

Node: TypeAlias = Scalar | Items | Table


def read_document(text: str, report: Report) -> Table | None:
    """The whole file as one mapping; None when it is no YAML or holds nothing. Problems go to `report`."""
    before = len(report.problems)
    roots = [_compose(part, report) for part in _parts(text.removeprefix("\ufeff"))]
    if len(report.problems) > before:
        return None
    pairs = [pair for root in roots if root is not None for pair in _root_pairs(root, report)]
    if pairs:
        return _table(pairs, pairs[0][0].start_mark.line + 1, report)
    if len(report.problems) == before:
        report.add(1, "the file holds no settings")
    return None


def scalars(node: Node) -> Iterator[Scalar]:
    """Every value below `node`, in file order; keys are left out."""
    if isinstance(node, Scalar):
        yield node
        return
    children = node.nodes if isinstance(node, Items) else tuple(value for _, value in node.pairs)
    for child in children:
        yield from scalars(child)


def _parts(text: str) -> tuple[str, ...]:
    markers = list(_MARKER.finditer(text))
    has_front_matter = len(markers) > 1 and _ONLY_BLANK.fullmatch(text, 0, markers[0].start())
    if not has_front_matter:
        return (text,)
    end = markers[1].end()
    return text[: markers[1].start()], "\n" * text.count("\n", 0, end) + text[end:]


def _compose(text: str, report: Report) -> Any:  # noqa: ANN401  (the library's nodes have no types)
    loader_class = type("Loader", (StrictYAMLLoader,), {"label": report.file, "allow_flow_style": True})
    try:
        root = loader_class(text).get_single_node()
        if root is None or not _is_too_deep(root):
            return root
        report.add(root.start_mark.line + 1, TOO_DEEP)
    except MarkedYAMLError as fault:
        _report_fault(fault, text, report)
    except RecursionError:
        report.add(None, TOO_DEEP)
    except Exception as fault:  # on hostile text the parser also lets builtin errors escape (`chr`, `int`, indexes)
        report.add(_line_of_position(text, fault), f"not valid YAML: {_first_line(str(fault))}")
    return None


def _is_too_deep(root: Any) -> bool:  # noqa: ANN401
    """Whoever walks the document later calls itself at every level."""
    level = [root]
    for _ in range(MOST_LEVELS):
        level = [child for node in level if node.id != "scalar" for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> Iterable[Any]:  # noqa: ANN401
    return (part for pair in node.value for part in pair) if node.id == "mapping" else node.value


def _report_fault(fault: Any, text: str, report: Report) -> None:  # noqa: ANN401
    at_end = "end of stream" in str(fault.problem) or "stream end" in str(fault.problem)
    marks = (fault.context_mark, fault.problem_mark) if at_end else (fault.problem_mark, fault.context_mark)
    mark = next((mark for mark in marks if mark is not None), None)
    last = text.rstrip().count("\n") + 1  # an end that came too soon is noticed on the empty line behind it
    line = None if mark is None else min(mark.line + 1, last)
    report.add(line, f"not valid YAML: {_fault_text(fault)}{_quoting_advice(text, line)}")


def _fault_text(fault: Any) -> str:  # noqa: ANN401
    if isinstance(fault, TagTokenDisallowed):
        return "tags such as !!str are not allowed"
    if isinstance(fault, AnchorTokenDisallowed):
        return "anchors and aliases (&name, *name) are not allowed"
    return " ".join(part for part in (fault.context, fault.problem) if part)


def _quoting_advice(text: str, line: int | None) -> str:
    lines = text.split("\n")
    inside_flow = line is not None and line <= len(lines) and re.search(r"[\[{,][^#]*\$\{", lines[line - 1])
    return ' (between { } or [ ] write "${NAME}" with quotes)' if inside_flow else ""


def _line_of_position(text: str, fault: Exception) -> int | None:
    position = getattr(fault, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "unreadable"


def _root_pairs(root: Any, report: Report) -> list[Any]:  # noqa: ANN401
    if root.id == "mapping":
        return list(root.value)
    if root.id == "scalar" and not root.value:  # nothing between two markers
        return []
    report.add(root.start_mark.line + 1, "expected `key: value` lines at the top of the file")
    return []


def _table(pairs: Iterable[Any], line: int, report: Report) -> Table:
    kept: dict[str, tuple[Scalar, Node]] = {}
    for key_node, value_node in pairs:
        key = _key(key_node, report)
        value = _node(value_node, key.line, report)
        if key.text in kept:
            report.add(key.line, f"duplicate key {key.text!r} (first on line {kept[key.text][0].line})")
        kept.setdefault(key.text, (key, value))
    return Table(tuple(kept.values()), line)


def _key(node: Any, report: Report) -> Scalar:  # noqa: ANN401
    line = node.start_mark.line + 1
    if node.id != "scalar":
        report.add(line, "a key must be plain text")
        return Scalar(f"<line {line}>", line)
    return Scalar(_whole(node, report), line)


def _node(node: Any, owner_line: int, report: Report) -> Node:  # noqa: ANN401
    line = node.start_mark.line + 1
    if node.id == "mapping":
        return _table(node.value, owner_line, report)
    if node.id == "sequence":
        return Items(tuple(_node(item, item.start_mark.line + 1, report) for item in node.value), owner_line)
    source = node.start_mark.buffer[node.start_mark.index : node.end_mark.index] if "${" in node.value else ""
    return Scalar(_whole(node, report), line, plain=node.style is None, source=source)


def _whole(node: Any, report: Report) -> str:  # noqa: ANN401
    """The node's text, if it is text: escapes such as `\\ud800` can spell characters that do not exist."""
    text: str = node.value
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    report.add(node.start_mark.line + 1, "half of a surrogate pair is no text")
    return text.encode(errors="replace").decode()

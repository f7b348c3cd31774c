"""The environment a node starts in: `.env` beneath the real variables, and `${NAME}` in profiles.

Only `${NAME}` is a reference; there is no default syntax and no escape, and what was put in is not looked at again.
Substitution works on values of the parsed tree, so comments and keys never count, and a value cannot change the file's
structure. The written form stays beside the text, so that a message shows `${API_KEY}` and never the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from lasso_trio.config.document import Items, Node, Scalar, Table, read_document, scalars
from lasso_trio.config.report import Report
from lasso_trio.errors import ConfigError, Problem

_REFERENCE: Final = re.compile(r"\$\{([^}\n]*)(\}?)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def with_dotenv(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """`environ` over the variables of `directory/.env`, when there is one. Raises ConfigError when it is unreadable."""
    from dotenv.parser import parse_stream  # here: reading a file is what few callers of this module need

    path = directory / ".env"
    if not path.is_file():
        return dict(environ)
    try:
        with path.open(encoding="utf-8") as stream:
            found = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError([Problem(str(path), None, f"cannot be read: {fault}")]) from fault
    problems = [Problem(str(path), each.original.line, "is not NAME=value") for each in found if each.error]
    if problems:  # what stands there may be a key, so it is not shown
        raise ConfigError(problems)
    return {each.key: each.value for each in found if each.key is not None and each.value is not None} | dict(environ)


def required_variables(text: str) -> tuple[str, ...]:
    """The variables a profile's text refers to, each once, in order. Text that is not YAML refers to none."""
    document = read_document(text, Report("<text>"))
    if document is None:
        return ()
    found = (match[1] for scalar in scalars(document) for match in _REFERENCE.finditer(scalar.text))
    return tuple(dict.fromkeys(name for name in found if _NAME.fullmatch(name)))


def substitute(table: Table, environ: Mapping[str, str], report: Report) -> Table:
    """`table` with every reference replaced. One that cannot be is reported and stays as it is written."""
    pairs = tuple((key, _substituted(value, environ, report)) for key, value in table.pairs)
    return attrs.evolve(table, pairs=pairs)


def _substituted(node: Node, environ: Mapping[str, str], report: Report) -> Node:
    if isinstance(node, Table):
        return substitute(node, environ, report)
    if isinstance(node, Items):
        return attrs.evolve(node, nodes=tuple(_substituted(item, environ, report) for item in node.nodes))
    if "${" not in node.text:
        return node
    before = len(report.problems)
    text = _REFERENCE.sub(lambda match: _replacement(match, node, environ, report), node.text)
    return attrs.evolve(node, text=text, written=node.text, unresolved=len(report.problems) > before)


def _replacement(match: re.Match[str], scalar: Scalar, environ: Mapping[str, str], report: Report) -> str:
    name, line = match[1], _line_of(match[0], scalar)
    if not match[2] or not _NAME.fullmatch(name):
        report.add(line, f"{match[0]!r} is not a reference to a variable: only ${{NAME}} is")
    elif name not in environ:
        report.add(line, f"environment variable {name} is not set (${{{name}}})", nearest_variable(name, environ))
    elif not environ[name].strip():
        report.add(line, f"environment variable {name} is empty (${{{name}}})")
    elif not environ[name].isprintable():
        report.add(line, f"environment variable {name} holds line breaks or other characters that cannot be printed")
    else:
        return environ[name]
    return match[0]


def nearest_variable(name: str, environ: Mapping[str, str]) -> str | None:
    """A variable that is set and only differs in case; guesses further off would leak what the machine holds."""
    return next((other for other in environ if other.upper() == name.upper()), None)


def _line_of(reference: str, scalar: Scalar) -> int:
    return scalar.line + scalar.source[: max(0, scalar.source.find(reference))].count("\n")

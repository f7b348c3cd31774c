"""The documentation's pages, and the command lines in them.

A command line stands in a block: fenced as `bash` or `console`, or indented by four spaces. In an indented block only
lines that begin with a program we know are taken, because answers and pictures of calls stand in such blocks too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
OTHERS: Final = ("README.md", "SECURITY.md", "news/README.md")
PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*sorted((ROOT / "docs").glob("*.md")), *(ROOT / name for name in OTHERS)]
}
PROGRAMS: Final = (
    "lasso", "curl", "nox", "pip", "pip-audit", "docker", "kubectl", "journalctl", "systemctl", "python", "jq", "cd",
    "cp", "install", "echo", "export", "mkdir", "cat", "python3", "scripts/demo", "scripts/test", ".venv/bin/lasso",
)  # fmt: skip
_FENCED: Final = re.compile(r"^( *)```(?:bash|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_ANY_FENCE: Final = re.compile(r"^ *```.*?^ *```\n", re.MULTILINE | re.DOTALL)
_INDENTED: Final = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_ASSIGNED: Final = re.compile(r"[A-Z_]+=")
_HERE: Final = re.compile(r" <<'(\w+)'\n.*?^\1$", re.MULTILINE | re.DOTALL)
_OPERATORS: Final = frozenset({"|", "||", "&&", ";", "&"})


@attrs.frozen
class Line:
    """One logical line (continuations joined) of a page."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command in it, assignments before it and redirections behind it left out."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        found: list[list[str]] = [[]]
        for word in lexer:
            found.append([]) if word in _OPERATORS else found[-1].append(word)
        return [words for words in map(_plain, found) if words]


def _plain(words: list[str]) -> list[str]:
    while words and _ASSIGNED.match(words[0]):
        words = words[1:]
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith(("<", ">")):
            next(rest, None)
            if kept and kept[-1] == "2":
                kept.pop()
        else:
            kept.append(word)
    return kept


def scripts(page: str) -> list[str]:
    """The fenced shell blocks of a page, as they stand."""
    return [_dedented(match[2], len(match[1])) for match in _FENCED.finditer(PAGES[page])]


def lines(page: str) -> list[Line]:
    """Every command line of a page, in order of kind."""
    fenced = [line for script in scripts(page) for line in _logical(_HERE.sub("", script))]
    rest = _ANY_FENCE.sub("\n", PAGES[page])
    indented = [line for block in _INDENTED.findall(rest) for line in _logical(_dedented(block, 4)) if _known(line)]
    return [Line(page, text) for text in fenced + indented]


def all_lines() -> Iterator[Line]:
    for page in PAGES:
        yield from lines(page)


def calls_of(program: str) -> list[tuple[Line, list[str]]]:
    """The arguments of every call of a program, wherever it lies, with the line it is in."""
    return [
        (line, words[1:]) for line in all_lines() for words in line.commands if words[0].rpartition("/")[2] == program
    ]


def _dedented(text: str, by: int) -> str:
    return re.sub(rf"^ {{{by}}}", "", text, flags=re.MULTILINE)


def _logical(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _known(line: str) -> bool:
    words = line.split()
    while words and _ASSIGNED.match(words[0]):
        words = words[1:]
    return bool(words) and words[0] in PROGRAMS

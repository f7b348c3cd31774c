"""The house rules no linter knows: file length, file names, and a test file for every module.

Prints every breach as `path: what is wrong` and exits 1 when there is one. Rules:

* no Python file is longer than 400 lines;
* no module is called utils, helpers, manager, base, common or misc: a file is one noun of the domain;
* no regular expression repeats a group possessively (a `+` behind the `*`): before Python 3.11.5 it does not match;
* `lasso_trio/<room>/<noun>.py` has `tests/<room>/test_<noun>.py` (or `test_<noun>_<aspect>.py`), and every test file
  there names a module that exists, or the room itself (`tests/devnet/test_devnet.py`). Tests of the whole (`surface`,
  `e2e`, `browser`, `bench`, `scripts`, `deploy`, `docs`, `fuzz`) have no module to mirror. A module that holds values
  only (constants, type aliases, classes of plain fields: no function or lambda anywhere) does nothing a test could see
  and needs none.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 400
BANNED = frozenset({"util", "utils", "helper", "helpers", "manager", "managers", "base", "common", "misc"})
UNMIRRORED_TESTS = frozenset({"surface", "e2e", "browser", "bench", "scripts", "deploy", "docs", "fuzz"})
UNTESTED_NAMES = frozenset({"__init__", "__main__"})
POSSESSIVE_GROUP = re.compile(r"(?<!\()[)](?:[*+?]|[{][0-9,]+[}])[+]")


def breaches(root: Path) -> Iterator[str]:
    """Every breach in the checkout at `root`, as printable lines."""
    for path in python_files(root):
        name = path.relative_to(root)
        yield from (f"{name}: {what}" for what in shape_breaches(path))
    yield from mirror_breaches(root / "lasso_trio", root / "tests")


def python_files(root: Path) -> list[Path]:
    return sorted(path for top in ("lasso_trio", "tests", "scripts") for path in (root / top).rglob("*.py"))


def shape_breaches(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8").splitlines()
    if len(text) > MAX_LINES:
        yield f"{len(text)} lines, the wall is {MAX_LINES}: give the second noun a file of its own"
    if path.stem.strip("_") in BANNED:
        yield f"'{path.stem}' says nothing: name the noun it is about"
    for number, line in enumerate(text, 1):
        if POSSESSIVE_GROUP.search(line):
            yield f"line {number}: a group repeated possessively does not match before Python 3.11.5"


def mirror_breaches(package: Path, tests: Path) -> Iterator[str]:
    """Modules without a test file, and test files without a module."""
    paths = {noun(path, package): path for path in package.rglob("*.py") if path.stem not in UNTESTED_NAMES}
    modules = set(paths)
    tested = {noun(path, tests) for path in tests.rglob("test_*.py") if not is_unmirrored(path, tests)}
    for module in sorted(modules):
        if not any(mirrors(test, module) for test in tested) and does_something(paths[module]):
            yield f"lasso_trio/{'/'.join(module)}.py: has no tests/{'/'.join((*module[:-1], 'test_' + module[-1]))}.py"
    rooms = {(*room, room[-1]) for path in package.rglob("__init__.py") if (room := noun(path, package)[:-1])}
    for test in sorted(tested):
        if not any(mirrors(test, subject) for subject in modules | rooms):
            yield f"tests/{'/'.join((*test[:-1], 'test_' + test[-1]))}.py: no module it could be about"


def does_something(path: Path) -> bool:
    """Whether any code in it runs later than its import."""
    code = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return any(isinstance(node, code) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def noun(path: Path, top: Path) -> tuple[str, ...]:
    """`routing/test_hedge.py` and `routing/hedge.py` are both ("routing", "hedge")."""
    relative = path.relative_to(top)
    return (*relative.parts[:-1], relative.stem.removeprefix("test_"))


def mirrors(test: tuple[str, ...], module: tuple[str, ...]) -> bool:
    same_room = test[:-1] == module[:-1]
    return same_room and (test[-1] == module[-1] or test[-1].startswith(module[-1] + "_"))


def is_unmirrored(path: Path, tests: Path) -> bool:
    return path.relative_to(tests).parts[0] in UNMIRRORED_TESTS


def main() -> int:
    found = list(breaches(Path(__file__).resolve().parent.parent))
    for line in found:
        print(line)
    print(f"house rules: {len(found)} breaches" if found else "house rules: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

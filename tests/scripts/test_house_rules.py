"""The checker itself: each rule is seen breaking and being kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "house_rules.py"


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house_rules", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def house(root: Path, *files: str, text: str = "x = 1\n") -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_module_with_its_test_keeps_the_rules(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "lasso_trio/__init__.py", "lasso_trio/routing/hedge.py", "tests/routing/test_hedge.py")
    assert list(rules.breaches(root)) == []


def test_a_test_may_be_about_one_aspect_of_a_module(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "lasso_trio/routing/hedge.py", "tests/routing/test_hedge_cancellation.py")
    assert list(rules.breaches(root)) == []


def test_a_test_may_be_about_a_whole_room(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "lasso_trio/devnet/__init__.py", "tests/devnet/test_devnet.py")
    assert list(rules.breaches(root)) == []


def test_a_module_without_a_test_is_named(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "lasso_trio/routing/hedge.py", "tests/test_hedge.py", text="def hedge(): ...\n")
    assert list(rules.breaches(root)) == [
        "lasso_trio/routing/hedge.py: has no tests/routing/test_hedge.py",
        "tests/test_hedge.py: no module it could be about",
    ]


@pytest.mark.parametrize(
    "values", ["LIMIT = 7\n", "class Limits:\n    idle: float = 7.0\n", "Json = dict[str, object]\n"]
)
def test_a_module_of_values_needs_no_test_and_may_have_one(rules: ModuleType, tmp_path: Path, values: str) -> None:
    root = house(tmp_path, "lasso_trio/limits.py", "lasso_trio/sizes.py", text=values)
    house(tmp_path, "tests/test_sizes.py")
    assert list(rules.breaches(root)) == []


@pytest.mark.parametrize(
    "code",
    [
        "def f(): ...\n",
        "async def f(): ...\n",
        "f = lambda: 1\n",
        "class A:\n    def f(self): ...\n",
        "if 1:\n    def f(): ...\n",
    ],
)
def test_a_module_in_which_anything_can_be_called_needs_one(rules: ModuleType, tmp_path: Path, code: str) -> None:
    root = house(tmp_path, "lasso_trio/limits.py", text=code)
    assert list(rules.breaches(root)) == ["lasso_trio/limits.py: has no tests/test_limits.py"]


def test_tests_of_whole_programs_mirror_nothing(rules: ModuleType, tmp_path: Path) -> None:
    assert list(rules.breaches(house(tmp_path, "tests/e2e/test_three_nodes.py"))) == []


def test_a_file_over_the_wall_is_named(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "tests/e2e/test_long.py", text="x = 1\n" * 401)
    assert [line.split(",")[0] for line in rules.breaches(root)] == ["tests/e2e/test_long.py: 401 lines"]


def test_a_name_that_says_nothing_is_refused(rules: ModuleType, tmp_path: Path) -> None:
    root = house(tmp_path, "lasso_trio/utils.py", "tests/test_utils.py")
    assert [line.split(":")[0] for line in rules.breaches(root)] == ["lasso_trio/utils.py"]


def test_a_group_repeated_possessively_is_named(rules: ModuleType, tmp_path: Path) -> None:
    expressions = 'A = "(?:ab)*" "+"\nB = "(?:a[^b]++)*"\nC = "(?:ab){0,9}' + '+"\nD = "/%()*+,;="\n'
    root = house(tmp_path, "tests/e2e/test_expression.py", text=expressions)
    assert list(rules.breaches(root)) == [
        "tests/e2e/test_expression.py: line 3: a group repeated possessively does not match before Python 3.11.5"
    ]

"""LASSO_WORKERS: a number, or what the machine gives. LASSO_STANDBY: whether one waits to replace them."""

from __future__ import annotations

import pytest

from lasso_trio.config import settings as module
from lasso_trio.config.settings import MOST_WORKERS, Settings
from lasso_trio.errors import ConfigError


@pytest.mark.parametrize(("told", "workers"), [("", 1), ("1", 1), ("4", 4), ("256", 256), ("auto", 6), ("AUTO", 6)])
def test_workers_are_a_number_or_one_for_each_cpu(told: str, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cpus", lambda: 6)
    assert Settings.from_env({"LASSO_WORKERS": told}).workers == workers


def test_a_huge_machine_gets_no_more_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cpus", lambda: 10_000)
    assert Settings.from_env({"LASSO_WORKERS": "auto"}).workers == MOST_WORKERS


@pytest.mark.parametrize("told", ["0", "-1", "257", "1.5", "many", "²", "9" * 30])
def test_anything_else_is_a_problem(told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"LASSO_WORKERS": told})
    (problem,) = caught.value.problems
    assert str(problem).startswith("environment: LASSO_WORKERS must be an integer from 1 to 256, or auto, found '")


@pytest.mark.parametrize(("told", "standby"), [("", True), ("on", True), ("off", False)])
def test_a_standby_is_kept_unless_it_is_switched_off(told: str, standby: bool) -> None:
    assert Settings.from_env({"LASSO_STANDBY": told}).standby is standby

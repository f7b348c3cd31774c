"""The errors of this package: what a wrong configuration says of itself."""

from __future__ import annotations

import pytest

from lasso_trio.errors import ConfigError, LassoError, Problem
from lasso_trio.jsonrpc.reply import BrokenReply
from lasso_trio.upstream.faults import UpstreamFault


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.yml", 3, "unknown key 'ur'", "url"), "a.yml:3: unknown key 'ur' (did you mean 'url'?)"),
        (Problem("a.yml", 3, "no chains"), "a.yml:3: no chains"),
        (Problem("environment", None, "PORT is no number"), "environment: PORT is no number"),
        (Problem("a.yml", 0, "empty"), "a.yml:0: empty"),
    ],
)
def test_a_problem_says_where_what_and_what_was_meant(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_wrong_configuration_tells_every_problem_on_a_line_of_its_own() -> None:
    problems = [Problem("a.yml", 1, "one"), Problem("b.yml", 2, "two")]
    error = ConfigError(problems)
    assert str(error) == "a.yml:1: one\nb.yml:2: two"
    assert error.problems == tuple(problems)


def test_what_a_wrong_configuration_carries_is_not_changed_by_who_raised_it() -> None:
    problems = [Problem("a.yml", 1, "one")]
    error = ConfigError(problems)
    problems.clear()
    assert len(error.problems) == 1


@pytest.mark.parametrize("family", [ConfigError, UpstreamFault, BrokenReply])
def test_everything_raised_on_purpose_has_one_root(family: type[Exception]) -> None:
    assert issubclass(family, LassoError)

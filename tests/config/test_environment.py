from __future__ import annotations

from pathlib import Path

import pytest

from lasso_trio.config.document import read_document, scalars
from lasso_trio.config.environment import required_variables, substitute, with_dotenv
from lasso_trio.config.report import Report
from lasso_trio.errors import ConfigError


def put_in(text: str, **environ: str) -> tuple[list[str], list[str]]:
    """The values after substitution, and the problems."""
    report = Report("f.yml")
    document = read_document(text, report)
    assert document is not None
    values = [scalar.text for scalar in scalars(substitute(document, environ, report))]
    return values, [str(problem) for problem in report.problems]


def test_references_are_replaced_anywhere_in_a_value() -> None:
    values, problems = put_in("a: ${X}\nb: 'pre-${X}-${Y}-post'\nc: [\"${Y}\"]\n", X="1", Y="2")
    assert values == ["1", "pre-1-2-post", "2"]
    assert problems == []


def test_what_was_put_in_is_not_looked_at_again() -> None:
    assert put_in("a: ${X}\n", X="${Y}", Y="no") == (["${Y}"], [])


def test_a_value_cannot_change_the_structure_of_the_file() -> None:
    assert put_in("a: ${X}\n", X="1, b: [2]") == (["1, b: [2]"], [])


@pytest.mark.parametrize("bad", ["two\nlines", "\x00", "\udcff"])
def test_a_value_that_cannot_be_printed_is_refused(bad: str) -> None:
    _, problems = put_in("a: ${X}\n", X=bad)
    assert problems == ["f.yml:1: environment variable X holds line breaks or other characters that cannot be printed"]


def test_every_unresolved_reference_is_named_with_its_line() -> None:
    text = "---\nname: x\n---\na:\n  - ok\n  - ${ONE}/${TWO}\nb: |\n  first\n  ${THREE}\nc:\n  ${FOUR}\n"
    _, problems = put_in(text)
    assert problems == [
        "f.yml:6: environment variable ONE is not set (${ONE})",
        "f.yml:6: environment variable TWO is not set (${TWO})",
        "f.yml:9: environment variable THREE is not set (${THREE})",
        "f.yml:11: environment variable FOUR is not set (${FOUR})",
    ]


def test_a_variable_that_differs_only_in_case_is_suggested_and_no_other() -> None:
    assert put_in("a: ${Key}\n", KEY="x")[1] == [
        "f.yml:1: environment variable Key is not set (${Key}) (did you mean 'KEY'?)"
    ]
    assert put_in("a: ${KEYS}\n", KEY="x")[1] == ["f.yml:1: environment variable KEYS is not set (${KEYS})"]


def test_comments_keys_and_other_dollars_are_left_alone() -> None:
    values, problems = put_in("# ${A}\n${B}: $C # ${D}\n")
    assert values == ["$C"]
    assert problems == []


@pytest.mark.parametrize("reference", ["${X:-default}", "${}", "${1X}", "${ X }", "${X"])
def test_anything_but_a_name_in_braces_is_refused(reference: str) -> None:
    _, problems = put_in(f"a: '{reference}'\n", X="1")
    assert problems == [f"f.yml:1: {reference!r} is not a reference to a variable: only ${{NAME}} is"]


def test_required_variables_are_listed_once_in_order_and_without_comments() -> None:
    text = "# ${NO}\na: ${B}-${A}\nb: [\"${B}\", '${C:-x}']\n"
    assert required_variables(text) == ("B", "A")
    assert required_variables("not: [yaml") == ()


def test_the_real_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=5000\nKEY='a b'\nexport OTHER=$PORT/${PORT}\nBARE\n")
    assert with_dotenv({"PORT": "6000"}, tmp_path) == {"PORT": "6000", "KEY": "a b", "OTHER": "$PORT/${PORT}"}


def test_without_a_dotenv_file_the_environment_is_what_it_is(tmp_path: Path) -> None:
    assert with_dotenv({"A": "1"}, tmp_path) == {"A": "1"}


def test_an_unreadable_dotenv_file_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read"):
        with_dotenv({}, tmp_path)


def test_a_dotenv_line_that_is_none_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('A=1\nKEY="abc\nPORT=99\n')
    with pytest.raises(ConfigError) as caught:
        with_dotenv({}, tmp_path)
    assert str(caught.value) == f"{tmp_path}/.env:2: is not NAME=value"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lasso_trio.errors import ConfigError
from lasso_trio.providers.catalogue import current, use
from lasso_trio.providers.classify import classify
from lasso_trio.providers.learned import Kind, Learned
from lasso_trio.providers.limit_texts import read_limits
from lasso_trio.providers.own_catalogue import load_over

MINE = """\
[[text]]
name = "mine"
class = "rate_limit"
text = ["the kraken is busy"]
seen = ["us"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = current()
    yield
    use(before)


def laid_over(file: Path, text: str) -> None:
    file.write_text(text)
    use(load_over(file))


def test_without_a_file_it_is_as_shipped() -> None:
    assert load_over(None).rows == current().rows


def test_a_new_row_is_asked_first_and_the_others_stay(file: Path) -> None:
    laid_over(file, MINE.replace("the kraken is busy", "header not"))
    assert classify(200, -32000, "header not found", None).error_class == "rate_limit"
    assert classify(200, -32000, "unknown block", None).row == "block-unknown"


def test_a_row_of_a_shipped_name_takes_its_place(file: Path) -> None:
    shipped = [row.name for row in current().rows["text"]]
    laid_over(file, MINE.replace("mine", "block-missing"))
    assert [row.name for row in current().rows["text"]] == shipped
    assert classify(200, -32000, "the kraken is busy", None).row == "block-missing"
    assert classify(200, -32000, "header not found", None).error_class == "unclassified"


@pytest.mark.parametrize(("section", "code"), [("code", -32603), ("firm_code", -32601)])
def test_a_code_of_a_shipped_row_is_ours_if_we_name_it(file: Path, section: str, code: int) -> None:
    laid_over(file, f'[[{section}]]\nname = "mine"\nclass = "quota"\ncode = [{code}]\nseen = ["us"]\n')
    assert classify(200, code, "", None).error_class == "quota"


def test_our_patterns_of_numbers_come_before_the_shipped_ones(file: Path) -> None:
    laid_over(file, '[[number]]\nof = "range"\npattern = ["not # but"]\nseen = ["us"]\n')
    assert read_limits("max block range: not 5 but 7") == (Learned(Kind.BLOCKS, 5),)
    assert read_limits("max block range 7") == (Learned(Kind.BLOCKS, 7),)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (MINE + MINE, 6, "a second row is called mine"),
        (MINE.replace("rate_limit", "rats"), 1, "Invalid enum value"),
        ("[[text]\n", 1, "no TOML"),
        (MINE.replace("mine", "http-401"), None, r"in \[\[status\]\]"),
        ('[[data]]\nname = "mine"\nclass = "server"\ndata = ["0xdead"]\nseen = ["us"]\n', 1, "reverts only"),
    ],
)
def test_what_is_wrong_is_a_problem_with_its_line(file: Path, text: str, line: int | None, what: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=what) as caught:
        load_over(file)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(file), line)


def test_a_file_that_is_not_there_is_a_problem(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_over(file)

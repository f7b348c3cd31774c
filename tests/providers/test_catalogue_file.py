"""A file that is no catalogue is refused, by the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lasso_trio.providers.catalogue import SHIPPED
from lasso_trio.providers.catalogue_file import SECTIONS, CatalogueError, parse, read_file

GOOD = SHIPPED.read_text(encoding="utf-8")
HERE = Path("errors.toml")
ROW = '[[text]]\nname = "mine"\nclass = "server"\nseen = ["any"]\n'
NUMBER = '[[number]]\nof = "range"\nseen = ["any"]\n'


def line_of(text: str, wanted: str, after: str = "") -> int:
    return text[: text.index(wanted, text.index(after))].count("\n") + 1


def test_the_shipped_file_has_every_section() -> None:
    assert all(read_file(SHIPPED).rows[section] for section in SECTIONS)


@pytest.mark.parametrize(
    ("addition", "what"),
    [
        (ROW + 'text = ["header not found"]\n', "in another row"),
        (ROW + 'text = ["Upper Case"]\n', "lower case"),
        (ROW, r"asks for text"),
        (ROW + 'text = ["abc"]\nstatus = [429]\n', "does not look at status"),
        (ROW + 'text = ["abc"]\ntexts = ["abc"]\n', "unknown field"),
        (ROW.replace("server", "sever") + 'text = ["abc"]\n', "Invalid enum value"),
        (ROW.replace("server", "split") + 'text = ["abc"]\n', "what is learned"),
        (ROW.replace("mine", "gas") + 'text = ["abc"]\n', "a second row"),
        (ROW.replace("mine", "Mine!") + 'text = ["abc"]\n', "matching regex"),
        (ROW + 'text = "abc"\n', "Expected `array`"),
        (ROW + 'text = ["ab"]\n', "length >= 3"),
        (ROW.replace('seen = ["any"]', "seen = []") + 'text = ["abc"]\n', "length >= 1"),
        (ROW.replace("text", "code") + "code = [-32000]\n", "in another row"),
        (ROW.replace("text", "code") + "between = [5, 4]\n", "lowest, highest"),
        (NUMBER + "pattern = ['max [0-9']\n", "no regular expression"),
        (NUMBER + "pattern = ['no number']\n", "needs 1 of"),
        (NUMBER.replace("range", "suggested") + "pattern = ['from #']\n", "needs 2 of"),
        (NUMBER.replace("range", "rang") + "pattern = ['max #']\n", "Invalid enum value"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(addition: str, what: str) -> None:
    text = GOOD + "\n" + addition
    with pytest.raises(CatalogueError, match=what) as caught:
        parse(text, HERE)
    assert caught.value.line == GOOD.count("\n") + 2
    assert str(caught.value).startswith(f"errors.toml:{caught.value.line}: ")


def test_broken_toml_is_named_by_its_line() -> None:
    with pytest.raises(CatalogueError, match="no TOML") as caught:
        parse(GOOD + "\n[[text]\n", HERE)
    assert caught.value.line == GOOD.count("\n") + 2


def test_what_has_no_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read") as caught:
        read_file(tmp_path / "none.toml")
    assert caught.value.line == 0
    with pytest.raises(CatalogueError, match=r"no \[\[status\]\] row") as missing:
        parse("", HERE)
    assert missing.value.line == 0
    with pytest.raises(CatalogueError, match="no TOML") as ended:
        parse('a = "', HERE)
    assert ended.value.line in (0, 1)


def test_an_empty_section_is_refused() -> None:
    empty = "\n".join(f"{section} = []" for section in SECTIONS)
    with pytest.raises(CatalogueError, match=r"no \[\[status\]\] row"):
        parse(empty, HERE)
    assert not any(parse(empty, HERE, whole=False).rows.values())

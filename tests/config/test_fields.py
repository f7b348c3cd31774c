from __future__ import annotations

import pytest

from lasso_trio.config.document import Scalar, read_document
from lasso_trio.config.fields import Fields, integer_in
from lasso_trio.config.report import Report

KNOWN = ("number", "flag", "word", "words", "inner", "choice")


def fields_of(text: str) -> tuple[Fields, Report]:
    report = Report("f.yml")
    document = read_document(text, report)
    assert document is not None
    return Fields(document, "thing", KNOWN, report), report


def told(report: Report) -> list[str]:
    return [str(problem).removeprefix("f.yml:") for problem in report.problems]


@pytest.mark.parametrize("written", ["0", "1", "-5", "9223372036854775807"])
def test_integers_are_decimal(written: str) -> None:
    assert integer_in(Scalar(written, 1)) == int(written)


@pytest.mark.parametrize(
    "written", ["", "1.0", "1e3", "0x10", "007", "+1", "1_000", "one", "٣", "9" * 19, "9" * 5000, "1 2", "null"]
)
def test_nothing_else_is_an_integer(written: str) -> None:
    assert integer_in(Scalar(written, 1)) is None


def test_quoted_digits_are_text_unless_they_hold_a_reference() -> None:
    assert integer_in(Scalar("5", 1, plain=False)) is None
    assert integer_in(Scalar("5", 1, plain=False, written="${X}")) == 5


@pytest.mark.parametrize(
    ("value", "least", "complaint"),
    [
        ("ten", None, "'number' must be an integer, found 'ten'"),
        ('"10"', None, "'number' must be an integer, found the text '10' in quotes"),
        ("-1", 0, "'number' must be a non-negative integer, found '-1'"),
        ("0", 1, "'number' must be a positive integer, found '0'"),
        ("[1]", None, "'number' must be an integer, found a list"),
        ("{a: 1}", None, "'number' must be an integer, found a mapping"),
        ("", None, "'number' must be an integer, found nothing"),
        ("null", None, "'number' must be an integer, found nothing"),
    ],
)
def test_a_wrong_integer_is_reported_and_replaced_by_the_default(value: str, least: int | None, complaint: str) -> None:
    fields, report = fields_of(f"\nnumber: {value}\n")
    assert fields.integer("number", 7, least=least) == 7
    assert told(report) == [f"2: {complaint}"]


def test_null_means_not_given_where_the_default_is_none() -> None:
    fields, report = fields_of("number: null\nword: ~\nwords:\n")
    assert fields.integer("number", None) is None
    assert fields.text("word", None) is None
    assert fields.node("words") is None
    assert told(report) == []


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("True", True), ("FALSE", False), ("false", False)])
def test_booleans(value: str, meant: bool) -> None:
    fields, report = fields_of(f"flag: {value}\n")
    assert fields.boolean("flag", not meant) is meant
    assert told(report) == []


@pytest.mark.parametrize("value", ["yes", "no", "on", "1", '"true"', "", "[true]"])
def test_other_words_are_no_booleans(value: str) -> None:
    fields, report = fields_of(f"flag: {value}\n")
    assert fields.boolean("flag", True) is True
    assert len(report.problems) == 1
    assert "must be true or false" in told(report)[0]


def test_an_unknown_key_is_reported_with_the_nearest_known_one() -> None:
    _, report = fields_of("word: a\nnumbr: 1\n")
    assert told(report) == ["2: unknown key 'numbr' in thing (did you mean 'number'?)"]


def test_a_wrong_choice_names_the_choices_and_the_nearest() -> None:
    fields, report = fields_of("choice: autto\n")
    assert fields.choice("choice", {"auto": 1, "isolated": 2}, 1) == 1
    assert told(report) == ["1: 'choice' must be one of auto, isolated; found 'autto' (did you mean 'auto'?)"]


def test_text_is_whatever_is_written_but_not_blank() -> None:
    assert fields_of("word: 1.10\n")[0].text("word", "") == "1.10"
    fields, report = fields_of("word: '  '\n")
    assert fields.text("word", "usual") == "usual"
    assert told(report) == ["1: 'word' must not be blank"]


def test_lists_hold_words_each_with_its_line() -> None:
    fields, report = fields_of("words:\n  - a\n  - [b]\n  - ''\n  -\n  - c\n")
    assert [(word.text, word.line) for word in fields.texts("words")] == [("a", 2), ("c", 6)]
    assert told(report) == [
        "3: 'words' must be a list of strings, but holds a list",
        "4: 'words' must not hold blank words",
        "5: 'words' must be a list of strings, but holds nothing",
    ]


@pytest.mark.parametrize("value", ["a", "{a: b}", ""])
def test_what_is_not_a_list_is_reported(value: str) -> None:
    fields, report = fields_of(f"words: {value}\n")
    assert fields.texts("words") == ()
    assert "must be a list of strings" in told(report)[0]


def test_an_empty_section_is_not_a_section() -> None:
    fields, report = fields_of("inner:\n")
    assert fields.section("inner", ()) is None
    assert told(report) == ["1: 'inner' must hold `key: value` lines, found nothing"]


def test_a_missing_field_is_reported_at_the_mapping() -> None:
    fields, report = fields_of("\n\nword: a\n")
    fields.require("number")
    assert told(report) == ["3: thing needs 'number'"]

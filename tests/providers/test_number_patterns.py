from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.number_patterns import Number


def number(*patterns: str, of: str = "range") -> Number:
    return Number(of, patterns, ("any",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("limit is 10000", 10_000),
        ("limit is 10,000 blocks", 10_000),
        ("limit is 1_000", 1000),
        ("limit is 2k", 2000),
        ("limit is 2 m", 2_000_000),
        ("limit is 2 megabytes", 2),
        ("limit is " + "9" * 40, int("9" * 18)),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: int) -> None:
    assert number("limit is #").find(text) == (value,)


def test_the_first_pattern_that_is_found_wins() -> None:
    its = number("at most #", "limit #")
    assert its.find("limit 5, at most 3") == (3,)
    assert its.find("limit 5") == (5,)
    assert its.find("no limit") == ()


def test_ranges_have_two_numbers_hexadecimal_or_not() -> None:
    its = number(r"\[#x, #x\]", "from # to #", of="suggested")
    assert list(its.mistakes()) == []
    assert its.find("try [0x10, 0x1f]") == (16, 31)
    assert its.find("from 5 to 9") == (5, 9)


@pytest.mark.parametrize(
    ("its", "what"),
    [
        (number("at most"), "needs 1 of"),
        (number("# to #"), "needs 1 of"),
        (number("from #", of="suggested"), "needs 2 of"),
        (number("max [#"), "no regular expression"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said(its: Number, what: str) -> None:
    (said,) = its.mistakes()
    assert what in said


@given(st.text(max_size=100))
def test_no_text_breaks_it(text: str) -> None:
    number("limit is #").find(f"limit is 1{text}")
    number("#x").find(f"0x1{text}")

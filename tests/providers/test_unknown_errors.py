"""Unknown texts are counted once per shape, without secrets, and never without bound."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.classify import classify
from lasso_trio.providers.unknown_errors import MAX_CHARS, UnknownErrors, shape


def hear(errors: UnknownErrors, message: str, code: int = -32000, now: float = 0.0, instance: str = "a") -> bool:
    return errors.hear(classify(200, code, message, None), 200, code, message, instance, now)


def test_a_text_with_other_numbers_is_the_same_text() -> None:
    errors = UnknownErrors()
    assert hear(errors, "frob 17 of 0xabc", now=1.0)
    assert not hear(errors, "frob 18 of 0xdef0", now=2.0, instance="b")
    (only,) = errors.listing()
    assert (only.text, only.times, only.first_at, only.last_at, only.instance) == ("frob # of <hex>", 2, 1.0, 2.0, "b")


def test_what_the_catalogue_knows_is_not_counted() -> None:
    errors = UnknownErrors()
    assert not hear(errors, "header not found")
    assert (errors.total, errors.listing()) == (0, [])


def test_an_unknown_code_is_counted_beside_the_known_one() -> None:
    errors = UnknownErrors()
    assert hear(errors, "frob")
    assert hear(errors, "frob", code=12345)
    assert {one.code for one in errors.listing()} == {-32000, 12345}


def test_the_most_frequent_comes_first_and_the_longest_unheard_makes_room() -> None:
    errors = UnknownErrors(most=2)
    for text in ("frob", "blip", "frob", "quux"):
        hear(errors, text)
    assert [one.text for one in errors.listing()] == ["frob", "quux"]
    assert errors.total == 4


@pytest.mark.parametrize(
    "message",
    [
        "see https://eth.example.com/v2/s3cr3tKeyOfMine for more",
        "no such token s3cr3tKeyOfMine1234567",
        "signature s3cr3t-Key.Of_Mine.1234567 expired",
        "token s3cr3tabcdefghijklmnopqrstuvwxyzabcdef".replace("3", "e"),
    ],
)
def test_keys_are_not_kept(message: str) -> None:
    assert not {"s3cr3t", "secret"} & set(re.findall(r"s[3e]cr[3e]t", shape(message)))


@given(st.text())
def test_a_shape_is_short_plain_and_printable(message: str) -> None:
    text = shape(message)
    assert len(text) <= MAX_CHARS
    assert text.isascii()
    assert all(char >= " " for char in text)

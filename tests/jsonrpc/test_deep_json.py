"""Judging deep JSON in layers: always what a decoder without a limit would say."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.deep_json import LAYER, is_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)
soups = st.text('[]{}"\\,:1 a\n', max_size=30)
"""Hardly ever JSON, but made of what the cutter looks at."""


def decodes(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


@given(values, st.integers(1, 4))
def test_json_is_json_however_it_is_cut(value: object, layer: int) -> None:
    assert is_json(json.dumps(value).encode(), 100, layer)


@given(values.map(json.dumps), st.text('[]{}",:\\1\n', max_size=2), st.data(), st.integers(1, 4))
def test_damaged_json_is_judged_as_the_decoder_judges_it(text: str, dirt: str, data: st.DataObject, layer: int) -> None:
    at, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    damaged = (text[:at] + dirt + text[min(end, at + 2) :]).encode()
    assert is_json(damaged, 100, layer) == decodes(damaged)


@given(soups, st.integers(1, 3))
def test_any_soup_of_brackets_and_quotes_is_judged_as_the_decoder_judges_it(soup: str, layer: int) -> None:
    assert is_json(soup.encode(), 100, layer) == decodes(soup.encode())


@pytest.mark.parametrize("text", ["1[]", "[1[]]", '{"a":1{}}', "[[]1]", '"a"[]', "[[}]", "[{]]", "[]]", "[[]", "[][]"])
def test_a_value_glued_to_another_is_not_hidden_by_a_cut_between_them(text: str) -> None:
    for layer in (1, 2, 3):
        assert not is_json(text.encode(), 100, layer)


def test_nesting_far_beyond_any_interpreters_limit_is_json() -> None:
    for deep in (LAYER - 1, LAYER, LAYER + 1, 50_000):
        assert is_json(b'[{"a":' * deep + b'"]}"' + b"}]" * deep, 100_000)
        assert not is_json(b'[{"a":' * deep + b"tru" + b"}]" * deep, 100_000)


def test_what_is_deeper_than_allowed_is_refused() -> None:
    assert is_json(b"[" * 10 + b"]" * 10, 10)
    assert not is_json(b"[" * 11 + b"]" * 11, 10)

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.methods import Method, known, lookup
from lasso_trio.routing.canonical import canonical


def method(name: str = "eth_call") -> Method:
    found = known(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (b'[ "latest" ,\n true ]', b'["latest",true]'),
        (b'[{"to":"0xAB","data":"0x"}]', b'[{"data":"0x","to":"0xab"}]'),
        (b'["0XAB", "0xZZ", "ABC"]', b'["0XAB","0xZZ","ABC"]'),
        (b'[{"topics":[["0xAb"],null]}]', b'[{"topics":[["0xab"],null]}]'),
        (b'["\\u006catest",1,null]', b'["latest",1,null]'),
    ],
)
def test_what_means_the_same_has_one_text(text: bytes, same: bytes) -> None:
    assert canonical(method(), text) == same


def test_names_of_members_keep_their_case() -> None:
    assert canonical(method(), b'[{"0xAB":{"Code":"0xCD"}}]') == b'[{"0xAB":{"Code":"0xcd"}}]'


@pytest.mark.parametrize(
    "text",
    [b'[{"to":"0x1","to":"0x2"}]', b"[ 1.0 ]", b"[ 1e3 ]", b"[ NaN ]", b"[ 1", b"[ \xff ]", b"[ " * 100_000],
    ids=["member twice", "fraction", "exponent", "NaN", "no JSON", "no UTF-8", "too deep"],
)
def test_what_is_ambiguous_stays_as_it_came(text: bytes) -> None:
    assert canonical(method(), text) == text


def test_text_that_is_no_hex_data_keeps_its_case() -> None:
    unknown = lookup("some_method", b'"some_method"')
    assert canonical(unknown, b'[ "0xAB" ]') == b'["0xAB"]'


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, max_size=4), st.integers(0, 3))
def test_it_is_stable_and_says_what_was_said(params: list[object], indent: int) -> None:
    sha = method("web3_sha3")
    text = canonical(sha, json.dumps(params, indent=indent).encode())
    assert canonical(sha, text) == text
    assert json.loads(text) == params

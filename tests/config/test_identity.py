from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.identity import instance_id, normalise_url
from lasso_trio.config.secret import Secret, SecretUrl

URL = SecretUrl("https://rpc.example.com/v1")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("HTTPS://RPC.EXAMPLE.COM:443/", "https://rpc.example.com"),
        ("http://rpc.example.com:80", "http://rpc.example.com"),
        ("http://rpc.example.com:443", "http://rpc.example.com:443"),
        ("WSS://RPC.Example.com:443/ws/", "wss://rpc.example.com/ws"),
        ("ws://rpc.example.com:8546/", "ws://rpc.example.com:8546"),
        ("https://rpc.example.com/V1/Key?Token=A", "https://rpc.example.com/V1/Key?Token=A"),
        ("https://User:Pass@RPC.example.com/", "https://User:Pass@rpc.example.com"),
        ("http://[::1]:8545/", "http://[::1]:8545"),
    ],
)
def test_spellings_of_one_url_become_one(written: str, normal: str) -> None:
    assert normalise_url(written) == normal


@given(st.from_regex(r"https?://[A-Za-z0-9.]{1,12}(:[1-9][0-9]{1,3})?(/[A-Za-z0-9/]{0,12})?", fullmatch=True))
def test_normalising_twice_is_normalising_once(url: str) -> None:
    assert normalise_url(normalise_url(url)) == normalise_url(url)


def test_the_id_shows_chain_and_host_and_hides_the_rest() -> None:
    made = instance_id(1, SecretUrl("https://rpc.example.com/v1/topsecret"), None, {})
    assert re.fullmatch(r"1:rpc\.example\.com:[0-9a-f]{12}", made)


def test_an_id_has_three_parts_whatever_the_host() -> None:
    assert instance_id(1, SecretUrl("http://[::1]:8545"), None, {}).startswith("1:--1:")
    assert instance_id(1, None, SecretUrl("wss://ws.example.com"), {}).startswith("1:ws.example.com:")


def test_the_same_upstream_spelled_differently_is_one_instance() -> None:
    upper = SecretUrl("HTTPS://RPC.EXAMPLE.COM:443/v1/")
    headers = {"X-Key": Secret("k"), "X-Team": Secret("t")}
    lower = {"x-team": Secret("t"), "x-key": Secret("k")}
    assert instance_id(1, upper, None, headers) == instance_id(1, URL, None, lower)


def test_whatever_makes_an_upstream_another_one_changes_the_id() -> None:
    ids = {
        instance_id(1, URL, None, {}),
        instance_id(2, URL, None, {}),
        instance_id(1, SecretUrl("https://rpc.example.com/v2"), None, {}),
        instance_id(1, URL, SecretUrl("wss://rpc.example.com/v1"), {}),
        instance_id(1, None, SecretUrl("wss://rpc.example.com/v1"), {}),
        instance_id(1, URL, None, {"Authorization": Secret("Bearer a")}),
        instance_id(1, URL, None, {"Authorization": Secret("Bearer b")}),
        instance_id(1, URL, None, {}, isolated_in="a"),
        instance_id(1, URL, None, {}, isolated_in="b"),
    }
    assert len(ids) == 9

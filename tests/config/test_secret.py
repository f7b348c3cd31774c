from __future__ import annotations

import json

import pytest

from lasso_trio.config.secret import Secret, SecretUrl, mask_url


def test_a_secret_shows_only_when_it_is_revealed() -> None:
    secret = Secret("topsecret")
    assert secret.reveal() == "topsecret"
    for shown in (str(secret), repr(secret), f"{secret}", json.dumps({"x": secret}, default=str)):
        assert "topsecret" not in shown


def test_a_url_shows_where_it_goes_and_nothing_that_may_be_a_key() -> None:
    assert str(SecretUrl("https://user:pw@rpc.example.com:8443/v1/key?token=x")) == "https://rpc.example.com:8443/***"
    assert str(SecretUrl("https://rpc.example.com/")) == "https://rpc.example.com"
    assert str(SecretUrl("ws://[::1]:8546")) == "ws://[::1]:8546"


@pytest.mark.parametrize("text", ["", "rpc.example.com/key", "http://[bad/key", "http://host:port/key"])
def test_what_is_no_url_is_masked_whole(text: str) -> None:
    assert mask_url(text) == "***"


def test_secrets_compare_by_value_and_kind() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != SecretUrl("a")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), SecretUrl("a")}) == 2

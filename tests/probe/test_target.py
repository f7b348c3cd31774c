from __future__ import annotations

import pytest

from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Profile
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.errors import ConfigError
from lasso_trio.probe.target import Target, all_targets, chain_targets, url_target

KEY = "sk_live_0123456789"
TWO = """
chains:
  ethereum: {chain_id: 1, aliases: [eth], providers: [{id: a, url: "https://a/KEY"}, {id: b, ws_url: "wss://b"}]}
  base: {chain_id: 8453, providers: [{id: a, url: "https://base"}]}
"""


def profile(text: str = TWO, slug: str = "mine") -> Profile:
    return load_profile_text(f"slug: {slug}\n{text.replace('KEY', KEY)}", "<test>", {})


def test_a_url_is_asked_over_http_and_over_the_websocket_that_may_be_there() -> None:
    target = url_target("https://rpc.example:8443/v2/key?x=1")
    assert target.url == SecretUrl("https://rpc.example:8443/v2/key?x=1")
    assert target.ws_url == SecretUrl("wss://rpc.example:8443/v2/key?x=1")
    assert (target.name, target.ws_given) == ("rpc.example:8443", False)


def test_a_websocket_url_is_asked_as_one_only() -> None:
    target = url_target("ws://127.0.0.1:8546")
    assert target.url is None
    assert target.ws_given
    assert target.shown == "ws://127.0.0.1:8546"


@pytest.mark.parametrize("text", ["ftp://x/y", "https://", "https://h/ a", "https://h:0", "http://[", "http://h/#a"])
def test_what_is_no_url_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        url_target(text)
    assert text not in str(caught.value)


def test_a_name_hides_credentials() -> None:
    assert url_target(f"https://user:{KEY}@host/").name == "host"


def test_a_chain_is_all_its_providers_with_what_the_profile_says_of_them() -> None:
    first, second = chain_targets([profile()], "eth")
    assert (first.name, first.chain, first.chain_id) == ("a", "ethereum", 1)
    assert (second.url, second.ws_url, second.ws_given) == (None, SecretUrl("wss://b"), True)
    assert [target.name for target in chain_targets([profile()], "8453")] == ["a"]


def test_one_instance_in_two_profiles_is_asked_once() -> None:
    assert len(chain_targets([profile(), profile(slug="other")], "ethereum")) == 2


def test_all_is_every_chain() -> None:
    assert [target.chain for target in all_targets(profile())] == ["ethereum", "ethereum", "base"]


def test_an_unknown_chain_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="there are base, ethereum"):
        chain_targets([profile()], "solana")


def test_keys_are_cleaned_out_of_what_endpoints_say() -> None:
    target = Target(
        "a",
        url=SecretUrl(f"https://user:{KEY}A@h/v2/{KEY}B?apikey={KEY}C&x=1"),
        headers={"Authorization": Secret(f"Bearer {KEY}D")},
    )
    for letter in "ABCD":
        assert KEY not in target.clean(f"no such key: {KEY}{letter}")
    assert target.clean("bad\x1b[31m\nkey") == "bad\\x1b[31m\\x0akey"
    assert len(target.clean("x" * 5_000)) < 300

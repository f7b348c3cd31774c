"""Scrubbing: keys do not get through, whatever carries them; everything else stays readable."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.telemetry.scrub import MARGIN, MAX_TEXT_CHARS, plain, printable, scrub


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET https://eth.example/v3/KEY failed", "GET https://eth.example/*** failed"),
        ("wss://user:pass@eth.example:8443/ws?apikey=KEY", "wss://eth.example:8443/***"),
        ("('https://a.example/KEY', 1) \"https://b.example/KEY\"", "('https://a.example/***', 1) \"https://b.example/***\""),
        ("https://eth.example is fine", "https://eth.example is fine"),
        ("POST /rpc?apiKey=KEY&x=1 refused", "POST /rpc?apiKey=***&x=1 refused"),
        ("GET /?access_token=KEY", "GET /?access_token=***"),
        ("authorization: Bearer abcdefghijklmnop.qrst", "authorization: Bearer ***"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("Bearer token missing", "Bearer token missing"),
        ("nothing to hide: a=1", "nothing to hide: a=1"),
        ("http://[broken/KEY", "***"),
    ],
)  # fmt: skip
def test_text(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_long_text_is_cut() -> None:
    assert len(scrub("x" * 100_000)) == MAX_TEXT_CHARS + 1


TOKEN = "eyJ" + "a" * 30 + "." + "b" * 30 + "." + "c" * 60
OWN = "lasso_mine_" + "k" * 43


@pytest.mark.parametrize("key", [f"Bearer {'q' * 40}", TOKEN, OWN, "https://eth.example/v3/" + "q" * 32])
@pytest.mark.parametrize("into", [1, 9, 12, 25])
def test_a_key_that_the_limit_goes_through_is_masked_all_the_same(key: str, into: int) -> None:
    shown = scrub("x" * (99 - into) + " " + key, 100)
    assert len(shown) <= 101
    assert not any(secret in shown for secret in ("qqq", "eyJa", "kkk"))


@given(st.integers(0, 300), st.integers(0, 200))
def test_of_a_text_too_long_to_be_looked_at_whole_no_half_of_a_key_is_seen(urls: int, more: int) -> None:
    url = f"https://e.example/{'HID' * 30} "  # each gets shorter, so that what is behind it moves to the front
    shown = scrub(url * urls + "x" * more + " Bearer " + "q" * 50 + " x" * 9_000, 1000)
    assert len(shown) <= 1001
    assert "q" not in shown
    assert "HID" not in shown


@pytest.mark.parametrize("hidden", [30, 300, 3000])
def test_of_a_long_text_the_beginning_is_shown_however_much_of_it_was_masked(hidden: int) -> None:
    text = f"request failed: see https://docs.example/{'a' * hidden} for more. " + "0xab12 " * 2000
    shown = "request failed: see https://docs.example/*** for more. " + "0xab12 " * 40
    assert scrub(text, 256) == shown[:256] + "…"


def test_of_a_long_text_in_which_one_url_takes_all_the_room_what_stands_before_it_is_shown() -> None:
    assert scrub(f"no answer: https://docs.example/{'a' * 5000} " + "0xab12 " * 2000, 256) == "no answer: …"


def test_of_a_long_word_as_much_is_shown_as_is_sure() -> None:
    assert scrub("reverted: 0x" + "ab" * 6000, 256) == "reverted: 0x" + "ab" * 122 + "…"


words = st.sampled_from(["so", "it", '"is"', "'x'", "\u2003", "\n", "ab" * 40])
kinds = (
    "Bearer {}",
    "https://e.example/{}",
    "wss://u:{}@e.example/",
    "/?apikey={}",
    "lasso_mine_{}",
    "eyJaaaaaaaaaaa.{}",
)
secrets = st.builds(lambda kind, size: kind.format("q" * size), st.sampled_from(kinds), st.integers(43, 900))


@given(st.lists(words | secrets, max_size=4), secrets, st.integers(0, 40), st.sampled_from([" ", " (", "'", '"']))
def test_wherever_a_long_text_is_cut_no_part_of_a_secret_is_seen(
    before: list[str], secret: str, into: int, join: str
) -> None:
    """A URL takes the room up to the place where looking ends, which is `into` the secret."""
    begins = " ".join([*before, "https://e.example/"])
    room = "q" * (256 + MARGIN - into - len(join) - len(begins))
    shown = scrub(begins + room + join + secret + " and on" * 1500, 256)
    assert "q" not in shown
    assert len(shown) <= 257


def test_a_text_that_masking_makes_short_enough_is_whole() -> None:
    assert scrub("https://eth.example/" + "a" * 90 + " refused", 60) == "https://eth.example/*** refused"


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Secret("KEY"), "***"),
        (SecretUrl("https://eth.example/KEY"), "https://eth.example/***"),
        ({"headers": {"a": Secret("KEY")}}, {"headers": {"a": "***"}}),
        (2**64 - 1, 2**64 - 1),
        (2**64, "0x10000000000000000"),
        (-(2**63) - 1, "-0x8000000000000001"),
        (True, True),
        (Colour.RED, "red"),
        (Number.ONE, 1),
        (b"https://eth.example/KEY", "https://eth.example/***"),
        ({1: {2}}, {"1": [2]}),
        (("a", None, 1.5), ["a", None, 1.5]),
        (ValueError("at https://eth.example/KEY"), "ValueError: at https://eth.example/***"),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert plain(value) == expected


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_is_named_by_its_type() -> None:
    assert plain([Hostile()]) == ["<unprintable Hostile>"]


def test_a_value_that_holds_itself_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "…" in str(plain(loop))


def test_nothing_steers_the_terminal() -> None:
    assert printable("a\x1b[31m\x9b\r\nb") == "a\\x1b[31m\\x9b\\x0d\\x0ab"
    assert printable("a\n\tb", lines=True) == "a\n\tb"


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(values)
def test_whatever_goes_in_can_be_encoded(value: object) -> None:
    msgspec.json.encode(plain(value))


@given(st.text(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_a_key_in_a_path_never_survives(before: str, key: str) -> None:
    key = f"K{key}K"
    assert f"/v3/{key}" not in scrub(f"{before} https://eth.example/v3/{key}")


def test_keys_of_our_own_clients_are_masked_wherever_they_stand() -> None:
    key = "lasso_wallet_3FELKcaNbvaATKCN2hmtW4bTuB95_i3B8hV-XGY2jNA"
    assert scrub(f"POST /rpc/k/{key}/eth of {key}") == "POST /rpc/k/lasso_wallet_***/eth of lasso_wallet_***"
    assert scrub("lasso_calls_total lasso_trio") == "lasso_calls_total lasso_trio"


def test_tokens_are_masked_wherever_they_stand() -> None:
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLi4uLi4"
    assert scrub(f"POST /rpc/k/{token}/eth of {token[:-24]}") == "POST /rpc/k/***/eth of ***"
    assert scrub("eyJ is no token, nor is eyJhbGciOiJFZERTQSJ9") == "eyJ is no token, nor is eyJhbGciOiJFZERTQSJ9"

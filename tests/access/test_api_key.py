from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.access.api_key import digest_of, id_of, made, owner_of
from lasso_trio.config.access import ApiKey

KEY = made("wallet")
KEYS = {"wallet": ApiKey("wallet", digest_of(KEY)), "other": ApiKey("other", digest_of(made("other")))}


def test_a_key_tells_whose_it_is_and_no_two_are_the_same() -> None:
    assert (id_of(KEY), KEY.startswith("lasso_wallet_"), len(KEY)) == ("wallet", True, 56)
    assert made("wallet") != KEY


def test_the_owner_is_found_by_the_whole_key_only() -> None:
    assert owner_of(KEY, KEYS) is KEYS["wallet"]
    secret = KEY.rpartition("wallet_")[2]
    assert owner_of(f"lasso_other_{secret}", KEYS) is None
    assert owner_of(f"lasso_nobody_{secret}", KEYS) is None
    assert owner_of(KEY[:-1] + ("a" if KEY[-1] != "a" else "b"), KEYS) is None
    assert owner_of(digest_of(KEY), KEYS) is None


def test_an_entry_of_zeros_is_nobodys() -> None:
    assert owner_of("lasso_x", {"": ApiKey("", "1" * 64)}) is None


@given(st.text())
def test_any_text_may_be_asked_about(text: str) -> None:
    assert owner_of(text, KEYS) is None
    assert len(digest_of(text)) == 64


def test_a_lone_surrogate_is_nobodys_key() -> None:
    assert owner_of("lasso_wallet_\udcff", KEYS) is None


@pytest.mark.parametrize("id_", ["", "a_b", "a b", "-a", "a" * 33, "ä"])
def test_an_id_must_be_a_name(id_: str) -> None:
    with pytest.raises(ValueError, match="a key's id"):
        made(id_)

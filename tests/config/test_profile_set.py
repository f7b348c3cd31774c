from __future__ import annotations

import pytest

from lasso_trio.config.profile import Chain, Profile
from lasso_trio.config.profile_set import ProfileSet

ETHEREUM = Chain("ethereum", 1, "Ethereum", (), aliases=("eth",))
BASE = Chain("base", 8453, "Base", ())
PUBLIC = Profile("public", "Public", (ETHEREUM, BASE))
OTHER = Profile("alpha", "Alpha", (BASE,))
BOTH = ProfileSet.of([OTHER, PUBLIC])


def test_profiles_are_found_by_slug() -> None:
    assert BOTH.find("alpha") is OTHER
    assert BOTH.find("Alpha") is None
    assert BOTH.find("") is None


def test_default_is_another_word_for_public() -> None:
    assert BOTH.find("default") is PUBLIC
    assert BOTH.default is PUBLIC


def test_without_public_the_first_profile_is_the_default() -> None:
    alone = ProfileSet.of([OTHER])
    assert alone.default is OTHER
    assert alone.find("default") is OTHER


def test_a_profile_really_called_default_is_found_by_its_name() -> None:
    named = Profile("default", "Named", (BASE,))
    assert ProfileSet.of([named, PUBLIC]).find("default") is named


@pytest.mark.parametrize("text", ["ethereum", "eth", "1"])
def test_chains_are_found_by_key_alias_and_decimal_id(text: str) -> None:
    assert BOTH.find_chain(PUBLIC, text) is ETHEREUM


@pytest.mark.parametrize("text", ["Ethereum", "ETH", "01", "1 ", "0x1", "", "2", "-1"])
def test_nothing_else_finds_a_chain(text: str) -> None:
    assert BOTH.find_chain(PUBLIC, text) is None


def test_a_profile_only_knows_its_own_chains() -> None:
    assert BOTH.find_chain(OTHER, "ethereum") is None
    assert BOTH.find_chain(OTHER, "8453") is BASE


def test_a_decimal_id_wins_over_a_name_of_the_same_digits() -> None:
    odd = Profile("odd", "Odd", (Chain("8453", 1, "Odd", ()), BASE))
    assert ProfileSet.of([odd]).find_chain(odd, "8453") is BASE


def test_a_set_cannot_be_empty_or_changed() -> None:
    with pytest.raises(ValueError):
        ProfileSet({})
    with pytest.raises(TypeError):
        BOTH.profiles["x"] = PUBLIC  # type: ignore[index]


def test_sets_of_the_same_profiles_are_equal() -> None:
    assert ProfileSet.of([PUBLIC]) == ProfileSet.of([PUBLIC])

from __future__ import annotations

import pytest

from lasso_trio.config.loader import load_profile_text
from lasso_trio.errors import ConfigError
from lasso_trio.probe.request import Request
from lasso_trio.probe.run import ALL_CHECKS, Check

MINE = load_profile_text("slug: mine\nchains: {c: {chain_id: 9, providers: [{id: a, url: 'https://a'}]}}", "<t>", {})
THEIRS = load_profile_text(
    "slug: theirs\nchains: {c: {chain_id: 9, providers: [{id: b, url: 'https://b'}]}}", "<t>", {}
)
PROFILES = {"mine": MINE, "theirs": THEIRS}


def names(request: Request) -> list[str]:
    return [target.name for target in request.resolve(PROFILES)]


def test_a_url_needs_no_profiles() -> None:
    assert not Request(("https://a",)).needs_profiles
    assert Request(("https://a", "ethereum")).needs_profiles
    assert Request(everything=True).needs_profiles


def test_nothing_named_asks_for_all_explicitly() -> None:
    with pytest.raises(ConfigError, match="say --all"):
        Request()


def test_a_chain_is_that_of_every_profile_or_of_the_one_that_is_named() -> None:
    assert names(Request(("c",))) == ["a", "b"]
    assert names(Request(("9",), slug="theirs")) == ["b"]
    with pytest.raises(ConfigError, match="no profile 'nobodys'; there are mine, theirs"):
        names(Request(("c",), slug="nobodys"))


def test_all_is_the_default_profile_unless_one_is_named() -> None:
    assert names(Request(everything=True)) == ["a"]
    assert names(Request(everything=True, slug="theirs")) == ["b"]


def test_nobody_is_asked_twice() -> None:
    assert names(Request(("c", "9", "https://x", "https://x"))) == ["a", "b", "x"]


def test_only_takes_lists_and_repetitions_and_none_means_all() -> None:
    assert Request(("c",), only=("logs, batch", "head")).order.checks == {Check.LOGS, Check.BATCH, Check.HEAD}
    assert Request(("c",)).order.checks == ALL_CHECKS


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Request(only=("speed",), as_json=True, write="-")
    assert len(caught.value.problems) == 3
    assert "no check 'speed'; there are latency" in str(caught.value)


def test_the_options_become_manners() -> None:
    manners = Request(("c",), timeout=1.5, wait=2.5, samples=3, rps=4.0).order.manners
    assert (manners.timeout_s, manners.head_wait_s, manners.samples, manners.calls_per_s) == (1.5, 2.5, 3, 4.0)

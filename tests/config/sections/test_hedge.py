from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import HedgePolicy, Profile

Faults = Callable[..., list[str]]
Read = Callable[..., Profile]


def written(profile: str = "", chain: str = "") -> str:
    return f"""slug: test
routing: {{{profile}}}
chains:
  ethereum:
    chain_id: 1
    routing: {{{chain}}}
    providers: [{{id: a, url: "https://a"}}]
"""


def policy(read: Read, profile: str = "", chain: str = "") -> HedgePolicy:
    return read(written(profile, chain)).chains[0].routing.hedge


def test_without_the_section_the_strategy_decides_whether_calls_are_hedged(read: Read) -> None:
    assert policy(read) == HedgePolicy()
    assert policy(read).enabled is None


@pytest.mark.parametrize(("word", "meant"), [("on", True), ("off", False)])
def test_one_word_turns_hedging_on_or_off(read: Read, word: str, meant: bool) -> None:
    assert policy(read, f"hedge: {word}") == HedgePolicy(enabled=meant)


def test_a_chains_keys_are_laid_over_the_profiles(read: Read) -> None:
    told = policy(read, "hedge: {quantile: 0.9, min_ms: 7}", "hedge: {min_ms: 9, enabled: false}")
    assert told == HedgePolicy(enabled=False, quantile=0.9, min_ms=9)


def test_a_methods_policy_is_laid_over_its_chains(read: Read) -> None:
    below = "hedge: {quantile: 0.9}, method_overrides: {eth_call: {hedge: {max_ms: 80}}}"
    chain = "hedge: {min_ms: 3}, method_overrides: {eth_call: {hedge: on}, eth_getLogs: {timeout_ms: 9}}"
    overrides = read(written(below, chain)).chains[0].routing.method_overrides
    assert overrides["eth_call"].hedge == HedgePolicy(enabled=True, quantile=0.9, min_ms=3, max_ms=80)
    assert overrides["eth_getLogs"].hedge is None


@pytest.mark.parametrize(
    ("hedge", "complaint"),
    [
        ("{quantile: 0.4}", "'quantile' must be at least 0.5 and below 1"),
        ("{quantile: 1}", "'quantile' must be at least 0.5 and below 1"),
        ("{quantile: 2}", "'quantile' must be a number from 0 to 1"),
        ("{quantile: fast}", "'quantile' must be a number from 0 to 1"),
        ("{budget: '0.1'}", "'budget' must be a number from 0 to 1"),
        ("{min_ms: 0}", "'min_ms' must be a positive integer"),
        ("{max_extra: 3}", "'max_extra' must be at most 2"),
        ("{min_ms: 9, max_ms: 8}", "'max_ms' must not be below 'min_ms'"),
        ("maybe", "'hedge' must hold `key: value` lines"),
        ("{quantil: 0.9}", "unknown key 'quantil' in hedge"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(faults: Faults, hedge: str, complaint: str) -> None:
    told = faults(written(f"hedge: {hedge}"))
    assert len(told) == 1
    assert told[0].startswith("2: ")
    assert complaint in told[0]


def test_a_method_has_no_budget_of_its_own(faults: Faults) -> None:
    told = faults(written("method_overrides: {eth_call: {hedge: {budget: 0.5}}}"))
    assert "unknown key 'budget'" in told[0]

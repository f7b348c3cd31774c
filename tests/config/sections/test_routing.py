from __future__ import annotations

from collections.abc import Callable
from textwrap import indent

import pytest

from lasso_trio.config.profile import MethodOverride, Profile, Routing, Strategy

Faults = Callable[..., list[str]]
Read = Callable[..., Profile]


def two_chains(profile: str = "", ethereum: str = "") -> str:
    """`profile` lines from line 2 on, then ethereum (providers a, b) with its lines, then base (provider c)."""
    return f"""slug: test
{profile}
chains:
  ethereum:
    chain_id: 1
    providers: [{{id: a, url: "https://a"}}, {{id: b, url: "https://b"}}]
{indent(ethereum, "    ")}
  base:
    chain_id: 2
    providers: [{{id: c, url: "https://c"}}]
"""


def test_without_routing_load_is_balanced(read: Read) -> None:
    profile = read(two_chains())
    assert profile.routing == Routing(Strategy.LOAD_BALANCED)
    assert profile.chains[0].routing == profile.routing


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("latency_weighted", Strategy.LATENCY_WEIGHTED),
        ("latency-weighted", Strategy.LATENCY_WEIGHTED),
        ("round-robin", Strategy.LOAD_BALANCED),
        ("priority", Strategy.PRIORITY),
    ],
)
def test_strategies_are_spelled_either_way(read: Read, written: str, meant: Strategy) -> None:
    assert read(two_chains(f"routing: {{default_strategy: {written}}}")).chains[1].routing.default_strategy is meant


def test_a_chain_is_laid_over_the_profile_key_by_key(read: Read) -> None:
    profile = read(
        two_chains(
            """routing:
  default_strategy: fastest
  method_overrides:
    eth_getLogs: {strategy: priority, providers: [b, c], timeout_ms: 9000}
    eth_call: {timeout_ms: 100}""",
            """routing:
  method_overrides:
    eth_getLogs: {timeout_ms: 1}
    eth_chainId: {providers: [a]}""",
        )
    )
    ethereum, base = profile.chains
    assert ethereum.routing == Routing(
        Strategy.FASTEST,
        {
            "eth_getLogs": MethodOverride(Strategy.PRIORITY, ("b",), 1),
            "eth_call": MethodOverride(timeout_ms=100),
            "eth_chainId": MethodOverride(providers=("a",)),
        },
    )
    assert base.routing == Routing(
        Strategy.FASTEST,
        {
            "eth_getLogs": MethodOverride(Strategy.PRIORITY, ("c",), 9000),
            "eth_call": MethodOverride(timeout_ms=100),
        },
    )
    assert profile.routing.method_overrides["eth_getLogs"].providers == ("b", "c")


def test_providers_keep_the_order_they_are_written_in(read: Read) -> None:
    chain = read(two_chains(ethereum="routing: {method_overrides: {eth_call: {providers: [b, a]}}}")).chains[0]
    assert chain.routing.method_overrides["eth_call"].providers == ("b", "a")


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        ("routing: {default_strategy: fast}", "2: 'default_strategy' must be one of fastest, "),
        ("routing: {default: fastest}", "2: unknown key 'default' in routing"),
        ("routing: fastest", "2: 'routing' must hold `key: value` lines"),
        ("routing:\n  method_overrides: [eth_call]", "3: 'method_overrides' must hold `key: value` lines"),
        ("routing:\n  method_overrides:\n    eth_call: fastest", "4: the override of 'eth_call' must hold"),
        ("routing:\n  method_overrides:\n    'eth call': {}", "4: 'eth call' is not the name of a method"),
        ("routing:\n  method_overrides:\n    eth_call:\n      timeout_ms: 0", "5: 'timeout_ms' must be a positive"),
        ("routing:\n  method_overrides:\n    eth_call:\n      timeout: 5", "5: unknown key 'timeout' in override of"),
        ("routing:\n  method_overrides:\n    eth_call: {providers: [a, a]}", "4: 'providers' names 'a' more than once"),
        (
            "routing:\n  method_overrides:\n    eth_call:\n      providers:\n        - a\n        - ghost",
            "7: 'providers' names 'ghost', which is not a provider of profile",
        ),
    ],
)
def test_each_mistake_has_its_message_and_line(faults: Faults, routing: str, told: str) -> None:
    found = faults(two_chains(routing))
    assert len(found) == 1
    assert found[0].startswith(told)


def test_a_chain_names_its_own_providers_only(faults: Faults) -> None:
    found = faults(two_chains(ethereum="routing:\n  method_overrides:\n    eth_call: {providers: [c]}"))
    assert found == ["9: 'providers' names 'c', which is not a provider of chain 'ethereum'"]

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lasso_trio.config.profile import (
    CachePolicy,
    Capabilities,
    ErrorRule,
    HedgePolicy,
    Limits,
    MethodOverride,
    Profile,
    SharingMode,
    Strategy,
)

Faults = Callable[..., list[str]]
Read = Callable[..., Profile]

FULL = (Path(__file__).parent.parent / "full.yml").read_text()
ENVIRON = {"FIRST_KEY": "key", "FIRST_TOKEN": "token"}
CHAINS = "chains: {ethereum: {chain_id: 1, providers: [{id: a, url: 'https://a'}]}}\n"


def test_every_field_of_a_full_profile_arrives(read: Read) -> None:
    profile = read(FULL, ENVIRON, "full.yml")
    assert (profile.slug, profile.name, profile.logo, profile.type) == (
        "full",
        "Full: everything",
        "/images/full.svg",
        "premium",
    )
    assert (profile.rps_limit, profile.burst_limit, profile.unlisted) == (25, 75, True)
    assert profile.source == "full.yml"
    ethereum, base = profile.chains
    assert (ethereum.key, ethereum.chain_id, ethereum.aliases) == ("ethereum", 1, ("eth", "mainnet"))
    assert (ethereum.monitoring.probe_interval_ms, ethereum.monitoring.lag_alert_threshold_blocks) == (7000, 4)
    assert ethereum.routing.default_strategy is Strategy.FASTEST
    assert base.routing.default_strategy is Strategy.LATENCY_WEIGHTED
    hedge = HedgePolicy(enabled=True, quantile=0.9, min_ms=8, max_ms=900, max_extra=2, budget=0.1)
    assert ethereum.routing.method_overrides["eth_getLogs"] == MethodOverride(
        Strategy.PRIORITY, ("second",), 4000, hedge
    )
    assert ethereum.routing.hedge == HedgePolicy(quantile=0.9, min_ms=8, max_ms=900, budget=0.1)
    assert (ethereum.routing.broadcast, ethereum.routing.coalesce, base.routing.coalesce) == (3, False, True)
    assert (ethereum.websocket.feeds, ethereum.websocket.conflate_heads) == (3, True)
    assert profile.cache == CachePolicy(enabled=True, max_bytes=1_000_000, price_ms=500)
    hedge = HedgePolicy(enabled=True, quantile=0.9, min_ms=8, budget=0.1)
    assert base.routing.method_overrides["eth_getLogs"] == MethodOverride(
        Strategy.PRIORITY, ("elsewhere",), 9000, hedge
    )


def test_every_field_of_a_full_provider_arrives(read: Read) -> None:
    first = read(FULL, ENVIRON, "full.yml").chains[0].providers[0]
    assert (first.name, first.priority, first.archival) == ("The First", 1, False)
    assert (first.subscribe_new_heads, first.sharing_mode) == (True, SharingMode.ISOLATED)
    assert first.url is not None
    assert first.url.reveal() == "https://first.example/v1/key"
    assert {name: value.reveal() for name, value in first.headers.items()} == {
        "X-Team": "blue",
        "Authorization": "Bearer token",
        "X-Api-Key": "key",
    }
    assert first.capabilities == Capabilities(
        ("debug", "trace", "txpool"),
        ("eth_getProof",),
        Limits(1000, 128, ("eth_call", "eth_getBalance")),
        (
            ErrorRule("capability_violation", 35, ("ranges over", "too wide")),
            ErrorRule("rate_limit", -32005),
            ErrorRule("requires_archival", None, ("pruned",)),
        ),
    )


def test_a_profile_needs_little(read: Read) -> None:
    profile = read(CHAINS)
    assert (profile.slug, profile.name, profile.rps_limit, profile.burst_limit) == ("public", "public", 100, 500)
    assert read(CHAINS, file="dir/mine.yml").slug == "mine"
    assert read(f"name: Mine\n{CHAINS}", file="mine.yaml").name == "Mine"


@pytest.mark.parametrize("place", ["front matter", "body", "one document"])
@pytest.mark.parametrize("prefix", ["", "default_"])
def test_limits_have_two_names_and_three_places(read: Read, place: str, prefix: str) -> None:
    limits = f"{prefix}rps_limit: 7\n{prefix}burst_limit: 8\n"
    texts = {
        "front matter": f"---\nname: x\n{limits}---\n{CHAINS}",
        "body": f"---\nname: x\n---\n{limits}{CHAINS}",
        "one document": f"{limits}{CHAINS}",
    }
    profile = read(texts[place])
    assert (profile.rps_limit, profile.burst_limit) == (7, 8)


def test_the_short_name_of_a_limit_wins(read: Read) -> None:
    assert read(f"default_rps_limit: 1\nrps_limit: 2\n{CHAINS}").rps_limit == 2


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("slug: other", "1: slug 'other' must equal the file's name 'mine'"),
        ("rps_limit: 0", "1: 'rps_limit' must be a positive integer, found '0'"),
        ("default_burst_limit: lots", "1: 'default_burst_limit' must be a positive integer, found 'lots'"),
        ("unlisted: 1", "1: 'unlisted' must be true or false, found '1'"),
        ("\nchain: {}", "2: unknown key 'chain' in profile (did you mean 'chains'?)"),
        ("name: {a: b}", "1: 'name' must be text, found a mapping"),
    ],
)
def test_each_mistake_has_its_message_and_line(faults: Faults, lines: str, told: str) -> None:
    assert faults(f"{lines}\n{CHAINS}", file="mine.yml") == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x\n", "1: profile needs 'chains'"),
        ("name: x\nchains: {}\n", "2: 'chains' must hold at least one chain"),
        ("name: x\nchains: []\n", "2: 'chains' must hold `key: value` lines, found a list"),
        ("chains:\n  ethereum:\n", "2: chain 'ethereum' must hold `key: value` lines, found nothing"),
    ],
)
def test_a_profile_has_chains(faults: Faults, text: str, told: str) -> None:
    assert faults(text) == [told]


def test_a_file_name_that_cannot_be_a_slug_is_reported(faults: Faults) -> None:
    assert faults(CHAINS, file="my profile.yml")[0].startswith("1: slug 'my profile' must consist of")


def test_mistakes_of_all_sections_are_reported_together_in_file_order(faults: Faults) -> None:
    text = FULL.replace("priority: 1", "priority: one").replace("size: xl", "size: xxl").replace("chain_id: 8453", "")
    found = faults(text.replace("unlisted: true", "unlisted: maybe"), {"FIRST_KEY": "x"}, "full.yml")
    lines = dict(enumerate(text.splitlines(), start=1))
    expected = ["unlisted:", "size: xxl", "priority: one", "api_key: ${FIRST_TOKEN}", "  base:"]
    assert [int(problem.split(":")[0]) for problem in found] == [
        next(number for number, line in lines.items() if marker in line) for marker in expected
    ]

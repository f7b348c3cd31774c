from __future__ import annotations

import attrs
import pytest

from lasso_trio.config.profile import STRATEGY_NAMES, Chain, Profile, Strategy


def test_every_spelling_of_a_strategy_means_it() -> None:
    assert {name for name, strategy in STRATEGY_NAMES.items() if strategy is Strategy.LOAD_BALANCED} == {
        "load-balanced",
        "load_balanced",
        "round-robin",
        "round_robin",
    }
    assert STRATEGY_NAMES["latency_weighted"] is STRATEGY_NAMES["latency-weighted"] is Strategy.LATENCY_WEIGHTED
    assert STRATEGY_NAMES["fastest"] is Strategy.FASTEST
    assert STRATEGY_NAMES["priority"] is Strategy.PRIORITY


def test_profiles_cannot_be_changed() -> None:
    profile = Profile(slug="a", name="A", chains=(Chain("c", 1, "C", ()),))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        profile.slug = "b"  # type: ignore[misc]


def test_the_defaults_are_those_of_the_documentation() -> None:
    chain = Chain("c", 1, "C", ())
    profile = Profile("p", "P", (chain,))
    assert (profile.rps_limit, profile.burst_limit, profile.unlisted) == (100, 500, False)
    assert profile.routing.default_strategy is Strategy.LOAD_BALANCED
    assert (chain.monitoring.probe_interval_ms, chain.monitoring.lag_alert_threshold_blocks) == (12_000, 3)
    assert (chain.selection.max_lag_blocks, chain.selection.archival_threshold) == (None, 128)
    assert (chain.topology.color, chain.topology.size) == ("#6B7280", "md")
    websocket = chain.websocket
    assert (websocket.subscribe_new_heads, websocket.new_heads_timeout_ms) == (True, 42_000)
    assert (websocket.max_backfill_blocks, websocket.backfill_timeout_ms) == (100, 30_000)

"""The race's profiles load as they are meant, and what the programs tell of their counts is read."""

from __future__ import annotations

import msgspec
from race_figures import Hedges
from race_stage import HEDGE_OFF, HEDGE_ON, Metrics, profile_text
from race_variants import CHAIN, MEDIANS_MS

from lasso_trio.config.loader import load_profile_text

URLS = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(MEDIANS_MS, 18_001)}


def enabled(hedge: str) -> bool | None:
    (chain,) = load_profile_text(profile_text("public", hedge, URLS), "public.yml", {}).chains
    assert chain.key == CHAIN
    assert [provider.id for provider in chain.providers] == list(MEDIANS_MS)
    return chain.routing.hedge.enabled


def test_profiles_differ_in_hedging_only() -> None:
    assert [enabled(hedge) for hedge in ("", "on", "off")] == [None, True, False]
    assert len(HEDGE_ON) == len(HEDGE_OFF)


def test_counts_that_are_not_told_are_absent() -> None:
    assert msgspec.json.decode(b'{"profile":"x"}', type=Metrics).hedges is None


def test_counts_are_read_beside_whatever_else_is_told() -> None:
    told = b'{"hedges":{"fired":3,"won":2,"wasted":1,"saved_s":0.5,"suppressed":{"budget":4}},"head":{}}'
    assert msgspec.json.decode(told, type=Metrics).hedges == Hedges(3, 2, 1, {"budget": 4})

"""The race's profiles load as they are meant, and what the programs tell of their counts is read."""

from __future__ import annotations

import attrs
import msgspec
from race_figures import Hedges
from race_stage import COUNTED, HEDGE, HEDGE_OFF, HEDGE_ON, Metrics, patience, profile_text
from race_variants import ALONE, CHAIN, MEDIANS_MS, STALL_MS

from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Chain, Routing

URLS = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(MEDIANS_MS, 18_001)}


def chain_with(routing: str) -> Chain:
    (chain,) = load_profile_text(profile_text("public", routing, URLS), "public.yml", {}).chains
    return chain


def test_a_profile_has_the_three_providers_and_the_defaults() -> None:
    chain = chain_with("")
    assert chain.key == CHAIN
    assert [provider.id for provider in chain.providers] == list(MEDIANS_MS)
    assert chain.routing == Routing()


def test_profiles_whose_cost_is_compared_differ_in_hedging_only() -> None:
    on, off = (chain_with(HEDGE.format(hedge=word)) for word in ("on", "off"))
    assert (on.routing.hedge.enabled, off.routing.hedge.enabled) == (True, False)
    assert attrs.evolve(on, routing=off.routing) == off
    assert len(HEDGE_ON) == len(HEDGE_OFF)


def test_who_has_nobody_else_to_ask_waits_longer_than_a_stall() -> None:
    assert ALONE.timeout_ms is not None
    assert ALONE.timeout_ms > STALL_MS * 2
    assert chain_with(patience(ALONE.timeout_ms)).routing.method_overrides[COUNTED].timeout_ms == ALONE.timeout_ms
    assert chain_with(patience(None)).routing == Routing()


def test_counts_that_are_not_told_are_absent() -> None:
    assert msgspec.json.decode(b'{"profile":"x"}', type=Metrics).hedges is None


def test_counts_are_read_beside_whatever_else_is_told() -> None:
    told = b'{"hedges":{"fired":3,"won":2,"wasted":1,"saved_s":0.5,"suppressed":{"budget":4}},"head":{}}'
    assert msgspec.json.decode(told, type=Metrics).hedges == Hedges(3, 2, 1, {"budget": 4})

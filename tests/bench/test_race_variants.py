"""The race is run as issue 4 says: three providers, rare long stalls, and each policy beside the others."""

from __future__ import annotations

from random import Random
from statistics import median

import pytest
from race_variants import ALONE, FIXED, FULL, HEDGED, STALL_MS, STEADY, VARIANTS, faults, latency


def test_a_provider_takes_its_median_and_stalls_once_in_a_hundred_calls() -> None:
    chance = Random(1)
    drawn = [latency(20.0).draw_s(chance) for _ in range(20_000)]
    assert median(drawn) == pytest.approx(0.020, rel=0.03)
    assert sum(seconds >= STALL_MS / 1000 for seconds in drawn) / len(drawn) == pytest.approx(0.01, rel=0.2)


def test_slowing_changes_the_medians_and_not_the_stalls() -> None:
    slowed = faults(5.0)
    assert [its.latency.p50_ms for its in slowed.values()] == [100.0, 125.0, 150.0]
    assert {its.latency.stall_ms for its in slowed.values()} == {STALL_MS}


def test_each_variant_has_a_name_and_with_it_a_lasso_of_its_own() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)


def test_only_the_best_provider_alone_is_pinned() -> None:
    assert ALONE.path == "/rpc/provider/p20/race"
    assert {variant.path for variant in VARIANTS if variant is not ALONE} == {"/rpc/fastest/race"}
    assert HEDGED.path == "/rpc/fastest/race"


def test_the_header_is_sent_by_those_that_do_not_follow_the_default() -> None:
    assert HEDGED.headers == ""
    assert FIXED.headers == "X-Lasso-Hedge: 100\r\n"


def test_a_full_run_has_enough_calls_for_its_last_quantile() -> None:
    assert FULL.calls >= 20_000
    assert FULL.block_s * FULL.rounds * FULL.rate == pytest.approx(FULL.calls)
    assert len(STEADY) == FULL.rounds, "each variant comes first once"

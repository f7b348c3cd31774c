from __future__ import annotations

from collections import Counter
from itertools import permutations, product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.routing.strategies import REASONS, Standing, race_order, rank, tier, weights

HTTP, WS = Transport.HTTP, Transport.WS


def standing(
    provider: str, mean_s: float | None = None, priority: int = 100, transport: Transport = HTTP, tier: int = 0
) -> Standing:
    return Standing(provider, transport, priority, mean_s, tier)


def ranked(strategy: Strategy, *standings: Standing) -> list[str]:
    """Who comes when; the same whatever order they are given in."""
    orders = {
        tuple(f"{given_[i].provider}:{given_[i].transport}" for i in rank(strategy, given_))
        for given_ in permutations(standings)
    }
    assert len(orders) == 1
    return [name.removesuffix(":http") for name in orders.pop()]


standings = st.builds(
    Standing,
    st.sampled_from("abcdefgh"),
    st.sampled_from(Transport),
    st.integers(0, 3),
    st.none() | st.floats(0, 10),
    st.integers(0, 3),
)


def test_the_tiers_are_closed_half_open_limited_both() -> None:
    states = [(False, False), (True, False), (False, True), (True, True)]
    assert [tier(half_open=half_open, limited=limited) for half_open, limited in states] == [0, 1, 2, 3]


@given(st.sampled_from(Strategy), st.lists(standings, max_size=8))
def test_health_goes_before_everything_and_nobody_is_lost(strategy: Strategy, given_: list[Standing]) -> None:
    order = rank(strategy, given_)
    assert sorted(order) == list(range(len(given_)))
    assert [given_[i].tier for i in order] == sorted(s.tier for s in given_)


def test_priority_asks_the_lower_number_first_and_http_before_websocket() -> None:
    assert ranked(
        Strategy.PRIORITY,
        standing("backup", 0.001, priority=100),
        standing("primary", 9.0, priority=10, transport=WS),
        standing("primary", None, priority=10),
    ) == ["primary", "primary:ws", "backup"]


def test_fastest_asks_the_measured_by_their_mean_and_then_the_others_in_the_profiles_order() -> None:
    assert ranked(
        Strategy.FASTEST,
        standing("slow", 0.5, priority=1),
        standing("unknown", None, priority=3),
        standing("quick", 0.1, priority=9),
        standing("later", None, priority=4),
    ) == ["quick", "slow", "unknown", "later"]


@pytest.mark.parametrize("strategy", Strategy)
def test_ties_are_broken_by_http_and_then_by_name(strategy: Strategy) -> None:
    tied = [standing("b", 0.1), standing("a", 0.1, transport=WS), standing("a", 0.1)]
    assert ranked(strategy, *tied) == ["a", "b", "a:ws"]


def test_load_balanced_knows_no_better_provider() -> None:
    assert ranked(Strategy.LOAD_BALANCED, standing("b", 0.1, priority=1), standing("a", 9.0, priority=2)) == ["a", "b"]


@pytest.mark.parametrize("strategy", Strategy)
def test_each_strategy_has_a_reason_to_show(strategy: Strategy) -> None:
    assert REASONS[strategy]


# Weights


def test_weights_fall_with_a_power_of_the_latency() -> None:
    means = [standing("a", 0.010), standing("b", 0.020), standing("c", 0.040)]
    assert weights(means, beta=2) == [1.0, 0.25, 0.0625]
    assert weights(means) == [1.0, 0.125, 0.015625]


def test_the_unmeasured_weigh_as_much_as_the_median() -> None:
    assert weights([standing("a", 0.1), standing("b", None), standing("c", 0.2), standing("d", 0.4)], beta=1) == [
        1.0, 0.5, 0.5, 0.25,
    ]  # fmt: skip
    assert weights([standing("a"), standing("b")]) == [1.0, 1.0]
    assert weights([]) == []


@given(st.lists(standings, min_size=1, max_size=8))
def test_weights_are_shares_of_the_best(given_: list[Standing]) -> None:
    drawn = weights(given_)
    assert len(drawn) == len(given_)
    assert all(0 <= weight <= 1 for weight in drawn)
    assert max(drawn) == 1.0 or all(s.mean_s is None for s in given_) or max(drawn) > 0


def test_the_race_gives_the_first_place_by_weight() -> None:
    rng, draws = Random(7), 30_000
    wins = Counter(race_order([1.0, 0.5], rng)[0] for _ in range(draws))
    assert 0.65 < wins[0] / draws < 0.685


def test_the_race_draws_without_putting_back() -> None:
    rng, draws = Random(7), 20_000
    orders = Counter(tuple(race_order([4.0, 2.0, 1.0], rng)) for _ in range(draws))
    assert set(orders) == set(permutations(range(3)))
    # First by weight among three, second by weight among the two that are left.
    for a, b, c in orders:
        w = [4.0, 2.0, 1.0]
        share = w[a] / 7 * w[b] / (w[b] + w[c])
        assert orders[a, b, c] / draws == pytest.approx(share, abs=0.02)


def test_a_weight_of_nothing_still_has_a_place() -> None:
    for seed, weight in product(range(20), [0.0, 1e-300]):
        assert race_order([weight, 1.0], Random(seed)) == [1, 0]


def test_who_said_not_to_have_the_method_is_behind_all_who_did_not() -> None:
    others = [tier(half_open=h, limited=li) for h, li in product([False, True], repeat=2)]
    banned = [tier(half_open=h, limited=li, banned=True) for h, li in product([False, True], repeat=2)]
    assert max(others) < min(banned)
    assert len({*others, *banned}) == 8

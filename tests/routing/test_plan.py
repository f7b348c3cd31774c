from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import pytest

from lasso_trio.config.profile import Allowance, Strategy
from lasso_trio.jsonrpc.methods import lookup
from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.plan import EXPLORE_SHARE, REFRESH_S, TRIAL_SHARE, Plan, build
from lasso_trio.routing.routed_chain import RoutedChain

ChainOf = Callable[..., RoutedChain]
CALL = lookup("eth_call", b'"eth_call"')
NOW = 1000.0


def plan_of(
    candidates: Sequence[Candidate], strategy: Strategy = Strategy.PRIORITY, due: float = 1e9, order: Sequence[str] = ()
) -> Plan:
    return build(strategy, candidates, [], CALL, 0, NOW, due, order)


def measured(candidates: Sequence[Candidate], **means: float) -> None:
    for candidate in candidates:
        for _ in range(3 if candidate.provider.id in means else 0):
            candidate.channel.row("eth_call").record(means[candidate.provider.id], NOW)


def limit(candidate: Candidate) -> None:
    candidate.channel.cooldown.begin(NOW, 60.0, Random(1))


def half_open(candidate: Candidate) -> None:
    for _ in range(3):
        candidate.channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.0, NOW - 600)


def firsts(plan: Plan, draws: int, *, replay_safe: bool = True, seed: int = 3) -> Counter[str]:
    rng = Random(seed)
    return Counter(plan.first(rng, replay_safe)[0].provider.id for _ in range(draws))


# The order


def test_the_tiers_are_asked_in_turn_whatever_the_strategy_prefers(chain_of: ChainOf) -> None:
    a, b, c, d = candidates = chain_of("a", "b", "c", "d").candidates
    measured(candidates, a=0.001, b=0.001, c=0.001, d=1.0)
    half_open(b)
    for candidate in (a, b):
        limit(candidate)
    half_open(c)
    for strategy in Strategy:
        plan = plan_of(candidates, strategy)
        assert (plan.ranked, plan.top) == ((d, c, a, b), 1)
        assert plan.first(Random(1), False)[0] is d
        assert plan.rest(d, Random(1)) == [c, a, b]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_half_open_provider_gets_its_trial_from_calls_that_may_be_repeated(
    chain_of: ChainOf, strategy: Strategy
) -> None:
    good, recovering, throttled = candidates = chain_of("good", "recovering", "throttled").candidates
    half_open(recovering)
    half_open(throttled)
    limit(throttled)
    plan = plan_of(candidates, strategy)
    assert plan.trial == (recovering,)
    seen = firsts(plan, 2000)
    assert 0.2 < seen["recovering"] / 2000 < 0.3
    assert seen["throttled"] == 0
    assert firsts(plan, 200, replay_safe=False) == {"good": 200}
    reasons = {plan.first(Random(n), True) for n in range(20)}
    assert (recovering, "recovery") in reasons
    assert good in {candidate for candidate, _ in reasons}


def test_when_nobody_is_closed_half_open_is_the_best_tier_and_no_trial(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b").candidates
    for candidate in candidates:
        half_open(candidate)
    plan = plan_of(candidates)
    assert (plan.top, plan.trial) == (2, ())


def test_labels_tell_the_order(chain_of: ChainOf) -> None:
    assert plan_of(chain_of("b", "a").candidates).labels == ["b:http", "a:http"]


def test_an_order_of_providers_stands_in_for_their_priorities(chain_of: ChainOf) -> None:
    assert plan_of(chain_of("a", "b", "c").candidates, order=("c", "a", "b")).labels == ["c:http", "a:http", "b:http"]


def test_the_rest_asks_every_upstream_before_any_of_them_twice_and_no_channel_twice(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b", "twin", "c", ws=["a", "b"], instances={"twin": "1:a:0"})
    a_http, a_ws, b_http, b_ws, twin_http, twin_ws, c = chain.candidates
    assert twin_http.channel is a_http.channel
    for strategy in Strategy:
        rest = plan_of(chain.candidates, strategy).rest(a_http, Random(5))
        assert {x.provider.id for x in rest[:2]} == {"b", "c"}
        assert len({x.channel for x in rest}) == len(rest) == 4
        assert twin_http not in rest
    assert plan_of(chain.candidates).rest(a_http, Random(5)) == [b_http, c, a_ws, b_ws]
    assert twin_ws not in plan_of(chain.candidates).rest(a_http, Random(5))


# Who is first


def test_priority_always_asks_its_first(chain_of: ChainOf) -> None:
    assert firsts(plan_of(chain_of("a", "b").candidates), 200) == {"a": 200}


def test_load_balanced_spreads_evenly_over_the_healthy_and_shuffles_the_rest(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", "c", "d").candidates
    limit(candidates[3])
    plan = plan_of(candidates, Strategy.LOAD_BALANCED)
    shares = firsts(plan, 9000)
    assert set(shares) == {"a", "b", "c"}
    assert all(2700 < share < 3300 for share in shares.values())
    rng = Random(4)
    seconds = Counter(plan.rest(candidates[0], rng)[0].provider.id for _ in range(2000))
    assert 900 < seconds["b"] < 1100
    assert seconds["d"] == 0


def test_latency_weighted_draws_by_the_cube_of_the_speed(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", "new").candidates
    measured(candidates, a=0.010, b=0.020)
    shares = firsts(plan_of(candidates, Strategy.LATENCY_WEIGHTED), 20_000)
    total = 1 + 1 / 8 + 9 / 16  # the unmeasured one weighs as the median of the two
    assert shares["a"] / 20_000 == pytest.approx(1 / total, abs=0.015)
    assert shares["b"] / 20_000 == pytest.approx(1 / 8 / total, abs=0.015)
    assert shares["new"] / 20_000 == pytest.approx(9 / 16 / total, abs=0.015)


def test_fastest_asks_the_fastest_and_sometimes_somebody_unknown(chain_of: ChainOf) -> None:
    candidates = chain_of("new", "a", "b", "newer").candidates
    measured(candidates, a=0.020, b=0.010)
    plan = plan_of(candidates, Strategy.FASTEST)
    shares = firsts(plan, 32_000)
    assert set(shares) == {"b", "new", "newer"}
    for name in ("new", "newer"):
        assert shares[name] / 32_000 == pytest.approx(EXPLORE_SHARE / 2, abs=0.005)


def test_the_reason_says_which_it_was(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "new").candidates
    measured(candidates, a=0.020)
    plan, rng = plan_of(candidates, Strategy.FASTEST), Random(3)
    reasons = {(it.provider.id, why) for it, why in (plan.first(rng, True) for _ in range(300))}
    assert reasons == {("a", "fastest_method_latency"), ("new", "exploration")}


def test_exploring_needs_no_long_lived_plan(chain_of: ChainOf) -> None:
    """At a few calls a second each plan serves one call: the unknown must have their share all the same."""
    candidates = chain_of("a", "new").candidates
    measured(candidates, a=0.020)
    rng = Random(3)
    shares = Counter(plan_of(candidates, Strategy.FASTEST).first(rng, True)[0].provider.id for _ in range(4000))
    assert shares["new"] / 4000 == pytest.approx(EXPLORE_SHARE, abs=0.02)


def test_while_nobody_is_known_everybody_is_asked_alike(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", "c").candidates
    rng = Random(3)
    shares = Counter(plan_of(candidates, Strategy.FASTEST).first(rng, True)[0].provider.id for _ in range(3000))
    assert all(850 < shares[name] < 1150 for name in "abc")


def test_a_write_explores_nothing(chain_of: ChainOf) -> None:
    candidates = chain_of("new", "a").candidates
    measured(candidates, a=0.020)
    assert firsts(plan_of(candidates, Strategy.FASTEST), 500, replay_safe=False) == {"a": 500}
    assert firsts(plan_of(candidates[:1], Strategy.FASTEST), 50, replay_safe=False) == {"new": 50}


@pytest.mark.parametrize("strategy", Strategy)
def test_the_half_open_have_a_share_of_the_reads_or_nobody_would_ever_close_them(
    chain_of: ChainOf, strategy: Strategy
) -> None:
    candidates = chain_of("a", "b", "c", "d").candidates
    _, b, c, d = candidates
    for candidate in (b, c, d):
        half_open(candidate)
    limit(d)
    plan = plan_of(candidates, strategy)
    shares = firsts(plan, 8000)
    assert set(shares) == {"a", "b", "c"}
    for name in ("b", "c"):
        assert shares[name] / 8000 == pytest.approx(TRIAL_SHARE / 2, abs=0.02)
    assert firsts(plan, 500, replay_safe=False) == {"a": 500}
    assert {why for it, why in (plan.first(Random(i), True) for i in range(99)) if it in (b, c)} == {"recovery"}


def test_where_nobody_is_closed_nobody_is_on_trial(chain_of: ChainOf) -> None:
    a, b = candidates = chain_of("a", "b").candidates
    limit(a)
    half_open(b)
    assert plan_of(candidates).trial == ()
    assert firsts(plan_of(candidates), 100) == {"b": 100}


@pytest.mark.parametrize("strategy", Strategy)
def test_a_batchs_provider_is_kept_while_it_is_healthy(chain_of: ChainOf, strategy: Strategy) -> None:
    a, b, c = candidates = chain_of("a", "b", "c").candidates
    limit(c)
    plan = plan_of(candidates, strategy)
    assert plan.first(Random(1), True, prefer=b) == (b, "batch_affinity")
    assert plan.first(Random(1), True, prefer=c)[0] in (a, b)


# How long it holds, and what it costs


def test_a_plan_ends_after_a_quarter_of_a_second_or_when_something_is_due(chain_of: ChainOf) -> None:
    candidates = chain_of("a").candidates
    assert plan_of(candidates).valid_until == NOW + REFRESH_S
    assert plan_of(candidates, due=NOW + 0.1).valid_until == NOW + 0.1


def test_a_plan_of_nobody_is_empty(chain_of: ChainOf) -> None:
    plan = plan_of([])
    assert (plan.ranked, plan.top, plan.labels) == ((), 0, [])


class Counted(tuple[Candidate, ...]):
    """A tuple that counts how often it is looked into."""

    looks = 0

    def __getitem__(self, index: object) -> object:  # type: ignore[override]
        Counted.looks += 1
        return super().__getitem__(index)  # type: ignore[index]

    def __iter__(self) -> object:  # type: ignore[override]
        Counted.looks += 1000
        return super().__iter__()


@pytest.mark.parametrize("strategy", Strategy)
def test_choosing_the_first_looks_at_one_provider_however_many_there_are(chain_of: ChainOf, strategy: Strategy) -> None:
    for size in (3, 300):
        candidates = chain_of(*[f"p{i}" for i in range(size)]).candidates
        measured(candidates, **{f"p{i}": 0.01 * (1 + i) for i in range(size - 1)})
        plan = plan_of(candidates, strategy)
        plan.ranked = Counted(plan.ranked)
        Counted.looks, rng = 0, Random(1)
        for _ in range(100):
            plan.first(rng, True)
        assert Counted.looks <= 100


def test_over_its_pace_or_budget_or_without_the_method_a_candidate_is_tried_last_and_not_forgotten(
    chain_of: ChainOf,
) -> None:
    paced, spent, banned, good = candidates = chain_of("paced", "spent", "banned", "good").candidates
    paced.channel.pacing.refused(NOW, 0.0)
    paced.channel.pacing.sent(NOW)
    spent.channel.budget = Budget(Allowance(rps=1))
    assert spent.channel.admit(NOW)
    banned.channel.failed("eth_call", VERDICTS[Category.METHOD_NOT_FOUND], 0.1, NOW)
    plan = plan_of(candidates)
    assert (plan.ranked, plan.top) == ((good, paced, spent, banned), 1)
    other = build(Strategy.PRIORITY, candidates, [], lookup("eth_getProof", b""), 0, NOW)
    assert other.ranked[0] is banned, "it has the other methods"

"""Many nodes' figures as one."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.cluster.aggregate import Figures, Origin, Picture
from lasso_trio.cluster.snapshot import BadSnapshot
from tests.cluster.shares import provider, snapshot, window

US, EU, EU2 = Origin("us-1", "us"), Origin("eu-1", "eu"), Origin("eu-2", "eu")
SECONDS = st.lists(st.floats(0.001, 60.0), max_size=30)


def test_calls_are_added_and_a_provider_is_seen_from_each_node_and_region() -> None:
    drawn = Picture("public", "ethereum")
    drawn.add(US, snapshot({"a": [0.1] * 20}, calls=20))
    drawn.add(EU, snapshot({"a": [0.2] * 5, "b": [0.3]}, calls=6))
    drawn.add(EU2, snapshot({"a": [0.2] * 5}, calls=5))
    chain = drawn.chains["ethereum"]
    a = chain.providers["a"]
    assert (drawn.nodes, chain.calls, chain.per_second, a.whole.attempts, a.live_on) == (3, 31, 4.5, 30, 3)
    assert {origin.node_id: figures.attempts for origin, figures in a.by_node.items()} == {
        "us-1": 20,
        "eu-1": 5,
        "eu-2": 5,
    }
    assert {region: figures.attempts for region, figures in a.by_region().items()} == {"us": 20, "eu": 10}
    assert a.lags[US] == -1
    assert (a.whole.cold, chain.providers["b"].whole.cold) == (False, True)
    assert chain.window().latency.count == 31


@given(st.lists(SECONDS, min_size=1, max_size=5), st.sampled_from([0.5, 0.9, 0.99]))
def test_percentiles_are_those_of_all_answers_together(nodes: list[list[float]], q: float) -> None:
    drawn = Picture("public", "ethereum")
    for number, seconds in enumerate(nodes):
        drawn.add(Origin(str(number), None), snapshot({"a": seconds}))
    together = window([each for seconds in nodes for each in seconds])
    assert drawn.chains["ethereum"].providers["a"].whole.window.quantile(q) == together.quantile(q)


def test_a_percentile_is_not_the_mean_of_percentiles() -> None:
    drawn = Picture("public", "ethereum")
    drawn.add(US, snapshot({"a": [0.010] * 99}))
    drawn.add(EU, snapshot({"a": [1.0]}))
    p50 = drawn.chains["ethereum"].providers["a"].whole.window.quantile(0.5)
    assert p50 == pytest.approx(0.010, rel=0.05)


def test_the_order_of_nodes_does_not_matter() -> None:
    told = {US: snapshot({"a": [0.1, 0.4]}), EU: snapshot({"a": [0.2], "b": [2.0]}), EU2: snapshot({"b": [0.3]})}
    seen = set()
    for order in permutations(told):
        drawn = Picture("public")
        for origin in order:
            drawn.add(origin, told[origin])
        window = drawn.chains["ethereum"].window()
        seen.add((tuple(sorted(window.latency.buckets.items())), round(window.latency.total, 9)))
    assert len(seen) == 1


def test_other_profiles_and_other_chains_are_left_out() -> None:
    drawn = Picture("public", "ethereum")
    drawn.add(US, snapshot({"a": [0.1]}, profile="mine"))
    drawn.add(US, snapshot({"a": [0.1]}, chain="base"))
    assert drawn.chains == {}
    every = Picture("public")
    every.add(US, snapshot({"a": [0.1]}, chain="base"))
    assert list(every.chains) == ["base"]


def test_methods_are_added_for_the_provider_that_is_asked_for_only() -> None:
    drawn = Picture("public", "ethereum", "a")
    drawn.add(US, snapshot({"a": [0.1, 0.1], "b": [0.1]}))
    drawn.add(EU, snapshot({"a": [0.3]}))
    a, b = (drawn.chains["ethereum"].providers[name] for name in "ab")
    assert (a.methods["eth_call"].answered, a.methods["eth_call"].window.latency.count) == (3, 3)
    assert b.methods == {}


def test_methods_that_cannot_be_read_are_told() -> None:
    broken = msgspec.structs.replace(provider("a", [0.1]), methods=b"\x01")
    told = snapshot()
    chain = msgspec.structs.replace(told.chains[0], providers=(broken,))
    with pytest.raises(BadSnapshot):
        Picture("public", "ethereum", "a").add(US, msgspec.structs.replace(told, chains=(chain,)))


def test_two_nodes_of_one_id_are_one_side_and_nothing_that_was_told_is_changed() -> None:
    told = snapshot({"a": [0.1]})
    drawn = Picture("public", "ethereum")
    for _ in range(3):
        drawn.add(US, told)
    a = drawn.chains["ethereum"].providers["a"]
    assert (a.by_node[US].attempts, a.by_node[US].window.latency.count, a.whole.window.latency.count) == (3, 3, 3)
    assert told == snapshot({"a": [0.1]})
    a.by_region()
    assert told == snapshot({"a": [0.1]})


def test_figures_are_added_field_by_field() -> None:
    one, other = Figures(1, 2, 3, 4, window([0.1])), Figures(10, 20, 30, 40, window([0.2], failures=7))
    one.merge(other)
    assert (one.attempts, one.answered, one.failures, one.throttled) == (11, 22, 33, 44)
    assert (one.window.latency.count, one.window.failures) == (2, 7)

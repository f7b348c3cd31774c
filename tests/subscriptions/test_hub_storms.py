"""The promise of streams, whatever happens in whatever order: what a client was told is the chain, or a gap says so.

Hypothesis thinks up the weather, and finds the least of it that breaks the promise.
"""

from __future__ import annotations

from random import Random

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import TOKENS
from tests.subscriptions.simulated import Scene
from tests.subscriptions.storms import STRIKES, Listener, RoughSource, Strike, Weather, fold_with_gaps

PROVIDERS = 3
POLICY = WebSocketPolicy(max_backfill_blocks=40)
STRIKE = st.builds(
    Strike,
    what=st.sampled_from(["die", "die", "reorg", *STRIKES]),
    who=st.integers(0, PROVIDERS - 1),
    how=st.integers(0, 5),
    mended=st.sets(st.integers(0, PROVIDERS)).map(tuple),
)


async def weathered(strikes: list[Strike]) -> list[Listener]:
    """What clients are left with; all of it was checked."""
    async with Scene.open(PROVIDERS, POLICY, linger_s=1e9) as scene:
        scene.sources[:] = [RoughSource(s.instance_id, scene.chain, rng=Random(n)) for n, s in enumerate(scene.sources)]
        weather = Weather(scene, ({}, {"address": TOKENS[0]}))
        for how in (0, 1, 2, 3, 4):
            await weather.come(how)
        await weather.pass_over(strikes)
        for listener in weather.listeners:
            listener.check(scene)
        return weather.listeners


@pytest.mark.timeout(300)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STRIKE, min_size=5, max_size=30))
def test_whatever_happens_clients_hold_the_chain_or_were_told_of_a_gap(strikes: list[Strike]) -> None:
    trio.run(weathered, strikes, clock=MockClock(autojump_threshold=0))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(4))
def test_a_long_storm_is_weathered(seed: int) -> None:
    rng = Random(seed)
    strikes = [
        Strike(
            rng.choice(["die", "die", "die", "reorg", *STRIKES]),
            rng.randrange(PROVIDERS),
            rng.randrange(6),
            tuple(place for place in range(PROVIDERS + 1) if rng.random() < 0.5),
        )
        for _ in range(60)
    ]
    assert trio.run(weathered, strikes, clock=MockClock(autojump_threshold=0))


def test_an_outage_that_is_too_long_is_told_as_a_gap() -> None:
    strikes = [Strike("outage", 0, 5, (0, 1, 2, 3))]
    listeners = trio.run(weathered, strikes, clock=MockClock(autojump_threshold=0))
    assert all(listener.doubts for listener in listeners)


def header(number: int, own: str, parent: str) -> tuple[str, dict[str, str]]:
    return "eth_subscription", {"number": hex(number), "hash": own, "parentHash": parent}


def gap(first: int, last: int) -> tuple[str, dict[str, str]]:
    return "lasso_gap", {"fromBlock": hex(first), "toBlock": hex(last), "unprovenFrom": hex(first), "reason": "x"}


def test_the_fold_itself_sees_holes_and_repetitions() -> None:
    one, two, four = header(1, "a", "0"), header(2, "b", "a"), header(4, "d", "c")
    assert len(fold_with_gaps([one, two, gap(3, 3), four])) == 3
    for bad in ([one, two, four], [one, gap(2, 2), four], [one, two, two]):
        with pytest.raises(AssertionError):
            fold_with_gaps(bad)

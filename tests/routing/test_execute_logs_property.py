"""Whatever the logs, the limits and the failures: in parts they are exactly the logs of an unlimited node."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lasso_trio.config.profile import Capabilities, Limits, Routing, Strategy
from lasso_trio.routing import call, execute_logs
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.service import Service
from tests.routing.log_nodes import Net, Node, ask, logs_in, random_logs
from tests.routing.undialled import undialled

BLOCKS = 100_000
NODES = st.builds(
    Node,
    blocks=st.sampled_from([500, 1000, 10_000]),
    results=st.none() | st.sampled_from([60, 200]),
    failing=st.sampled_from([0.0, 0.1, 0.3]),
    suggests=st.booleans(),
    text=st.sampled_from(["query exceeds max block range {}", "block range is too wide"]),
)
SPARE = st.builds(Node, blocks=st.sampled_from([500, 1000]), failing=st.just(0.0))
"""There is one that works, or a lost part would be an honest answer."""


def fetch(net: Net, rng: Random, stated: list[int | None], times: int) -> list[Outcome]:
    able = {name: Capabilities(limits=Limits(max_block_range=n)) for name, n in zip(net.nodes, stated, strict=False)}
    chain = undialled(*net.nodes, capabilities=able, routing=Routing(Strategy.LOAD_BALANCED))

    async def all_of_it() -> list[Outcome]:
        service = Service(rng)
        return [await ask(service, chain, 0, BLOCKS - 1) for _ in range(times)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, "attempt", net.attempt)
        return trio.run(all_of_it, clock=trio.testing.MockClock(autojump_threshold=0))


@settings(max_examples=40, deadline=None)
@given(
    nodes=st.lists(NODES, min_size=0, max_size=3),
    spare=SPARE,
    count=st.sampled_from([0, 1, 50, 1500]),
    crowd=st.sampled_from([0, 40]),
    stated=st.lists(st.none() | st.sampled_from([0, 499, 20_000]), max_size=2),
    seed=st.integers(0, 2**32),
)
@example(
    nodes=[Node(500, 60), Node(10_000, 200, failing=0.3)], spare=Node(1000), count=1500, crowd=40, stated=[], seed=7
)
def test_a_hundred_thousand_blocks_are_those_of_an_unlimited_node(
    nodes: list[Node], spare: Node, count: int, crowd: int, stated: list[int | None], seed: int
) -> None:
    rng = Random(seed)
    logs: list[dict[str, Any]] = random_logs(rng, BLOCKS, count, crowd)
    net = Net(dict(zip("abcd", [spare, *nodes], strict=False)), rng, logs)
    for outcome in fetch(net, rng, [None, *stated], times=2):
        assert logs_in(outcome) == logs
        assert outcome.reason == "split"
    assert net.most <= execute_logs.IN_FLIGHT

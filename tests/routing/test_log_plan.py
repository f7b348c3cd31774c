"""Who is asked for a query of logs, before anybody is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from lasso_trio.config.profile import Capabilities, Limits, Routing, Strategy
from lasso_trio.jsonrpc.methods import known
from lasso_trio.providers.learned import Kind
from lasso_trio.routing.call import Call
from lasso_trio.routing.log_plan import MAX_PARTS, begin, by_caps, keepers, plan_of, takers
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.split import Cap

Chains = Callable[..., RoutedChain]
NOW, HEAD = 5.0, 10_000_000
BY_HASH = f'[{{"blockHash":"0x{5:064x}"}}]'


@pytest.fixture
def three(chain_of: Chains) -> RoutedChain:
    """`a` takes eleven blocks and keeps no old state, `b` takes 100, `c` takes all."""
    stated = {name: Capabilities(limits=Limits(max_block_range=most)) for name, most in (("a", 10), ("b", 99))}
    chain = chain_of("a", "b", "c", capabilities=stated, routing=Routing(Strategy.PRIORITY))
    a = chain.candidates[0]
    a.provider, chain._pruned = attrs.evolve(a.provider, archival=False), True
    for candidate in chain.candidates:
        candidate.head.tell(HEAD, NOW, 12.0)
    chain.latest_height = lambda: HEAD
    return chain


def call_of(chain: RoutedChain, params: str) -> Call:
    method = known("eth_getLogs")
    assert method is not None
    plan = chain.plan(method, b"[]", NOW, Strategy.PRIORITY)
    return Call(chain, method, params.encode(), b"7", plan, NOW, NOW + 5.0, lambda: NOW)


def bounds(first: int, last: int | str) -> str:
    return f'[{{"fromBlock":"{first:#x}","toBlock":"{last if isinstance(last, str) else hex(last)}"}}]'


def excluded(plan: Any) -> dict[str, str]:
    return {each.label: each.reason for each in plan.excluded}


@pytest.mark.parametrize(
    ("params", "labels", "out"),
    [
        (bounds(1, 5), ["b:http", "c:http"], {"a:http": "not_archival"}),
        (bounds(HEAD - 5, HEAD), ["a:http", "b:http", "c:http"], {}),
        (bounds(HEAD - 50, "latest"), ["b:http", "c:http"], {"a:http": "log_limits"}),
        (bounds(1, 0x200000), ["c:http"], {"a:http": "not_archival", "b:http": "log_limits"}),
        (bounds(1, "finalized"), ["b:http", "c:http"], {"a:http": "not_archival"}),
        (bounds(1, "pending"), ["b:http", "c:http"], {"a:http": "not_archival"}),
        (BY_HASH, ["b:http", "c:http"], {"a:http": "not_archival"}),
    ],
)
def test_who_keeps_the_blocks_and_takes_the_range_is_asked(
    three: RoutedChain, params: str, labels: list[str], out: dict[str, str]
) -> None:
    how = begin(call_of(three, params))
    assert (how.plan.labels, excluded(how.plan), list(how.parts)) == (labels, out, [])


def test_what_nobody_takes_whole_begins_in_parts_with_who_takes_the_first(three: RoutedChain) -> None:
    three.candidates[2].channel.learned.told(Kind.BLOCKS, 500, NOW)
    how = begin(call_of(three, bounds(0, 999)))
    assert [(part.first, part.last) for part in how.parts] == [(0, 499), (499, 998), (998, 999)]
    assert (how.plan.labels, excluded(how.plan)["b:http"]) == (["c:http"], "log_limits")


@pytest.mark.parametrize(("last", "query"), [(MAX_PARTS * 100, True), (0x200000, False)])
def test_too_many_parts_are_not_begun_and_those_that_keep_the_blocks_are_to_say_so(
    three: RoutedChain, last: int, query: bool
) -> None:
    three.candidates[2].channel.learned.told(Kind.BLOCKS, 50, NOW)
    how = begin(call_of(three, bounds(0, last)))
    assert (how.plan.labels, how.query is not None, list(how.parts)) == (["b:http", "c:http"], query, [])


def test_nobody_in_the_plan_stays_nobody(three: RoutedChain) -> None:
    for candidate in three.candidates:
        candidate.channel.cordon(out=True)
    three.registry.version.bump()
    how = begin(call_of(three, bounds(0, 5)))
    assert (how.plan.ranked, how.query) == ((), None)


def test_who_has_not_seen_the_newest_block_comes_last(three: RoutedChain) -> None:
    three.candidates[0].head.tell(HEAD - 3, NOW, 12.0)
    three.candidates[1].head.tell(HEAD, NOW + 1.0, 12.0)
    call = call_of(three, bounds(HEAD - 5, HEAD))
    query = begin(call).query
    assert query is not None
    assert (keepers(call, query), takers(call, query)) == (list(three.candidates),) * 2
    assert plan_of(call, query, three.candidates).labels[-1] == "a:http"


def test_caps_that_take_the_whole_make_no_parts(three: RoutedChain) -> None:
    call = call_of(three, bounds(1, 300))
    query = begin(call).query
    assert query is not None
    assert by_caps(call, query, three.candidates[2:], MAX_PARTS) == []
    assert all(Cap(100).takes(part) for part in by_caps(call, query, three.candidates, MAX_PARTS))
    assert by_caps(call, query, three.candidates, 2) == []

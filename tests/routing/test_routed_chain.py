from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import Capabilities, Limits, MethodOverride, Routing, Strategy, Transport
from lasso_trio.jsonrpc.methods import Method, all_known, lookup
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing import routed_chain
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.routed_chain import RoutedChain

ChainOf = Callable[..., RoutedChain]
NOW = 1000.0
FAR = b'[{"fromBlock":"0x0","toBlock":"0xffff"}]'
NEAR = b'[{"fromBlock":"0x0","toBlock":"0x1"}]'


def method(name: str) -> Method:
    return lookup(name, f'"{name}"'.encode())


CALL, LOGS = method("eth_call"), method("eth_getLogs")


def plan(
    chain: RoutedChain,
    it: Method = CALL,
    params: bytes = b"[]",
    now: float = NOW,
    *,
    strategy: Strategy = Strategy.PRIORITY,
    transport: Transport | None = None,
    pinned: str | None = None,
) -> Plan:
    return chain.plan(it, params, now, strategy, transport, pinned)


def out(it: Plan) -> dict[str, str]:
    return {exclusion.label: exclusion.reason for exclusion in it.excluded}


def break_open(candidate: Candidate, now: float = NOW) -> float:
    """How long it stays open."""
    for _ in range(3):
        candidate.channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.0, now)
    return candidate.channel.breaker.retry_after(now)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each plan that was built: the number of its candidates."""
    built: list[int] = []
    build = routed_chain.build

    def counted(strategy: Strategy, candidates: list[Candidate], *rest: object) -> Plan:
        built.append(len(candidates))
        return build(strategy, candidates, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(routed_chain, "build", counted)
    return built


# What it is asked


def test_strategies_and_budgets_come_from_the_method_or_the_chain(chain_of: ChainOf) -> None:
    overrides = {"eth_call": MethodOverride(Strategy.FASTEST, timeout_ms=250)}
    chain = chain_of("a", routing=Routing(Strategy.PRIORITY, overrides))
    assert (chain.strategy_for(CALL), chain.budget_s(CALL)) == (Strategy.FASTEST, 0.25)
    assert (chain.strategy_for(LOGS), chain.budget_s(LOGS)) == (Strategy.PRIORITY, 5.0)


def test_the_chain_id_is_answered_here_as_nodes_spell_it(chain_of: ChainOf) -> None:
    chain = chain_of("a", chain_id=421614)
    assert chain.local_answers == {"eth_chainId": b'"0x66eee"', "net_version": b'"421614"'}
    assert {"eth_chainId", "net_version", "eth_sign", "eth_accounts"} <= chain.answered_here
    assert "eth_call" not in chain.answered_here


def test_it_knows_its_providers(chain_of: ChainOf) -> None:
    assert chain_of("a", "b").has_provider("b")
    assert not chain_of("a", "b").has_provider("c")


# What a plan leaves out


def test_each_filter_says_why(chain_of: ChainOf) -> None:
    no_logs = Capabilities(unsupported_methods=("eth_getLogs",))
    narrow = Capabilities(limits=Limits(max_block_range=10))
    chain = chain_of("a", "b", "c", "d", ws=["d"], capabilities={"a": no_logs, "b": narrow})
    break_open(chain.candidates[2])
    it = plan(chain, LOGS, FAR)
    assert it.labels == ["d:http"]
    assert out(it) == {
        "a:http": "unsupported_method",
        "b:http": "block_range",
        "c:http": "breaker_open",
        "d:ws": "not_connected",
    }
    assert plan(chain, LOGS, NEAR).labels == ["b:http", "d:http"]


def test_a_pinned_provider_is_asked_whatever_it_is_said_to_be_able_to(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b", capabilities={"a": Capabilities(unsupported_methods=("eth_call",))})
    assert plan(chain, pinned="a").labels == ["a:http"]
    assert plan(chain).labels == ["b:http"]


def test_a_pinned_providers_breaker_is_honoured(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b")
    break_open(chain.candidates[0])
    assert plan(chain, pinned="a").labels == []


def test_an_override_names_the_providers_and_their_order(chain_of: ChainOf) -> None:
    overrides = {"eth_call": MethodOverride(providers=("c", "a"))}
    chain = chain_of("a", "b", "c", routing=Routing(Strategy.PRIORITY, overrides))
    assert plan(chain).labels == ["c:http", "a:http"]
    assert plan(chain, LOGS).labels == ["a:http", "b:http", "c:http"]
    assert plan(chain, pinned="b").labels == ["b:http"]


def test_an_overrides_order_holds_for_narrowed_log_queries_too(chain_of: ChainOf) -> None:
    overrides = {"eth_getLogs": MethodOverride(providers=("c", "b", "a"))}
    narrow = {"c": Capabilities(limits=Limits(max_block_range=10))}
    chain = chain_of("a", "b", "c", routing=Routing(Strategy.PRIORITY, overrides), capabilities=narrow)
    assert plan(chain, LOGS, FAR).labels == ["b:http", "a:http"]


# The cache


def test_the_same_call_costs_one_plan_however_often_it_comes(chain_of: ChainOf, builds: list[int]) -> None:
    chain = chain_of(*[f"p{i}" for i in range(50)])
    first = plan(chain)
    assert all(plan(chain, now=NOW + 0.2) is first for _ in range(100))
    assert builds == [50]


def test_each_wish_has_a_plan_of_its_own(chain_of: ChainOf, builds: list[int]) -> None:
    chain = chain_of("a", "b")
    for _ in range(2):
        plan(chain)
        plan(chain, LOGS)
        plan(chain, strategy=Strategy.FASTEST)
        plan(chain, transport=Transport.HTTP)
        plan(chain, pinned="b")
    assert builds == [2, 2, 2, 2, 1]


def test_a_plan_is_renewed_when_it_is_old(chain_of: ChainOf, builds: list[int]) -> None:
    chain = chain_of("a")
    plan(chain)
    plan(chain, now=NOW + 0.26)
    assert len(builds) == 2


def test_a_plan_is_renewed_at_once_when_a_breaker_or_a_cooldown_moves(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b")
    a, b = chain.candidates
    assert plan(chain).labels == ["a:http", "b:http"]
    a.channel.failed("eth_call", VERDICTS[Category.RATE_LIMIT], 0.0, NOW, 30.0)
    assert plan(chain).labels == ["b:http", "a:http"]
    break_open(b)
    assert plan(chain).labels == ["a:http"]


def test_a_plan_is_renewed_at_the_very_moment_a_cooldown_or_a_breaker_is_due(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b")
    a, b = chain.candidates
    a.channel.failed("eth_call", VERDICTS[Category.RATE_LIMIT], 0.0, NOW, 0.1)
    assert plan(chain).ranked == (b, a)
    assert plan(chain, now=NOW + 0.1).ranked == (a, b)
    due = NOW + break_open(b)
    assert plan(chain, now=due - 0.1).ranked == (a,)
    assert plan(chain, now=due - 0.001).ranked == (a,)
    assert plan(chain, now=due).ranked == (a, b)


def test_a_breaker_that_nobody_asks_does_not_keep_plans_from_being_remembered(
    chain_of: ChainOf, builds: list[int]
) -> None:
    chain = chain_of("a", "b", capabilities={"b": Capabilities(unsupported_methods=("eth_call",))})
    late = NOW + break_open(chain.candidates[1]) + 1
    for _ in range(5):
        plan(chain, now=late)
    assert builds == [1]


def test_a_breaker_settling_while_a_plan_is_made_does_not_make_that_plan_stale(
    chain_of: ChainOf, builds: list[int]
) -> None:
    chain = chain_of("a")
    late = NOW + break_open(chain.candidates[0]) + 1
    for _ in range(5):
        plan(chain, now=late)
    assert builds == [1]


def test_log_queries_within_everybodys_range_share_one_plan(chain_of: ChainOf, builds: list[int]) -> None:
    chain = chain_of("a", "b", capabilities={"a": Capabilities(limits=Limits(max_block_range=10))})
    assert plan(chain, LOGS, NEAR) is plan(chain, LOGS, NEAR)
    assert plan(chain, LOGS, FAR).labels == ["b:http"]
    assert builds == [2, 1]


def test_the_cache_has_an_end(chain_of: ChainOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routed_chain, "_PLANS_KEPT", 8)
    chain = chain_of("a")
    for it in all_known():
        plan(chain, it)
        assert len(chain._plans) <= 8


def test_a_name_that_is_not_remembered_has_no_plan_in_the_cache(chain_of: ChainOf) -> None:
    chain = chain_of("a")
    assert plan(chain, method("x" * 200)).labels == ["a:http"]
    assert not chain._plans


# How long to wait


def test_the_wait_is_the_shortest_of_the_breakers_that_keep_this_call_out(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b", "c")
    a, b, c = chain.candidates
    waits = [break_open(a), break_open(b, NOW - 30) - 30, break_open(c, NOW - 50) - 50]
    assert chain.shortest_wait(plan(chain), NOW) == pytest.approx(min(waits))
    assert chain.shortest_wait(plan(chain, pinned="a"), NOW) == pytest.approx(waits[0])


def test_a_wait_for_nothing_is_unknown(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b")
    break_open(chain.candidates[1])
    assert chain.shortest_wait(plan(chain, pinned="a"), NOW) is None


def test_for_itself_the_node_counts_apart_and_goes_the_same_ways(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b")
    own = chain.for_itself()
    assert own is chain.for_itself()
    assert own.counts is chain.own_counts
    assert (own.heads, own.flights, own.candidates) == (chain.heads, chain.flights, chain.candidates)
    assert plan(own) is plan(chain)
    chain.adopt(chain.profile, None)
    assert chain.for_itself() is not own
    assert chain.for_itself().counts is own.counts


@pytest.mark.parametrize("tag", ["safe", "finalized"])
def test_a_tag_stands_for_a_height_as_long_as_somebody_tells_it(chain_of: ChainOf, tag: str) -> None:
    chain = chain_of("a", "b")
    a, b = (candidate.head for candidate in chain.candidates)
    for head in (a, b):
        head.tell(1000, NOW, 12.0)
        setattr(head, tag, 900)
    assert chain.height_of(tag, NOW) == 900
    b.tell(1003, NOW + 35, 12.0)
    assert chain.height_of(tag, NOW + 35) == 900, "b tells it"
    setattr(b, tag, None)
    assert chain.height_of(tag, NOW + 35) is None, "a is stale"
    setattr(b, tag, 930)
    assert chain.height_of(tag, NOW + 36) == 930


def test_no_other_tag_has_a_height(chain_of: ChainOf) -> None:
    chain = chain_of("a")
    chain.latest_height = lambda: 1000
    assert chain.height_of("latest", NOW) == 1000
    assert [chain.height_of(tag, NOW) for tag in ("safe", "finalized", "pending", "earliest")] == [None] * 4

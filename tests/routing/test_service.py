from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Capabilities, HedgePolicy, MethodOverride, Routing, Strategy, Transport
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.routing.service import Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock
DOWN = Faults(failures=[Failure(Kind.HTTP)])


# What nobody is asked


@pytest.mark.parametrize(("method", "result"), [("eth_chainId", "0x1"), ("net_version", "1")])
async def test_the_chains_id_is_answered_here(autojump_clock: Clock, world: Build, method: str, result: str) -> None:
    it = world({"a": Faults()})
    served = await it.serve(method)
    assert served.outcome.reply.splice(b'"x"') == f'{{"jsonrpc":"2.0","id":"x","result":"{result}"}}'.encode()
    assert (served.outcome.reason, served.outcome.candidate, served.plan) == ("local", None, None)
    assert it.asked == {}


async def test_but_not_with_parameters_nor_when_a_provider_is_named(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(chain_id=5)})
    assert (await it.ask("eth_chainId", '["0x1"]'))["result"] == "0x5"
    assert (await it.ask("eth_chainId", "[]", Wish(provider="a")))["result"] == "0x5"


@pytest.mark.parametrize(
    "method", ["eth_sendTransaction", "personal_sign", "eth_sign", "eth_signTransaction", "eth_accounts"]
)
@pytest.mark.parametrize("provider", [None, "a"])
async def test_what_needs_a_nodes_keys_is_refused(
    autojump_clock: Clock, world: Build, method: str, provider: str | None
) -> None:
    it = world({"a": Faults()})
    error = (await it.ask(method, "[]", Wish(provider=provider)))["error"]
    assert error == {"code": -32601, "message": "Method not supported by proxy"}
    assert it.asked == {}


async def test_other_methods_of_a_node_alone_have_nobody_to_go_to(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    assert (await it.ask("eth_coinbase"))["error"] == {"code": -32000, "message": "No channels available"}


async def test_a_provider_nobody_configured_is_told_so(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    assert (await it.ask("eth_call", "[]", Wish(provider="ghost")))["error"] == {
        "code": -32602,
        "message": "Provider 'ghost' not found",
        "data": {"provider_id": "ghost", "chain_id": 1, "profile": "default"},
    }
    assert it.asked == {}


async def test_names_of_providers_made_up_by_clients_are_not_remembered(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    for i in range(50):
        wish = Wish(provider=f"ghost {i}")
        assert it.service.choose(it.routed, wish, it.request(), trio.current_time()) is None
        await it.ask("eth_call", "[]", wish)
    assert len(it.routed._plans) == 0


# What the client wishes


async def test_a_named_provider_is_the_only_one_asked(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": DOWN})
    assert (await it.ask("eth_gasPrice", "[]", Wish(provider="b")))["error"]["code"] == -32002
    assert it.asked == {"b": 1}


@pytest.mark.parametrize(
    ("wish", "routing", "reason", "strategy"),
    [
        (Wish(), Routing(Strategy.PRIORITY), "static_priority", Strategy.PRIORITY),
        (Wish(), Routing(), "load_balanced_rotation", Strategy.LOAD_BALANCED),
        (
            Wish(Strategy.LATENCY_WEIGHTED),
            Routing(Strategy.PRIORITY, {"eth_gasPrice": MethodOverride(Strategy.FASTEST)}),
            "latency_weighted_selection",
            Strategy.LATENCY_WEIGHTED,
        ),
        (
            Wish(),
            Routing(Strategy.FASTEST, {"eth_gasPrice": MethodOverride(Strategy.PRIORITY)}),
            "static_priority",
            Strategy.PRIORITY,
        ),
        (Wish(), Routing(Strategy.FASTEST), "exploration", Strategy.FASTEST),
    ],
)
async def test_the_clients_strategy_goes_before_the_methods_and_that_before_the_chains(
    autojump_clock: Clock, world: Build, wish: Wish, routing: Routing, reason: str, strategy: Strategy
) -> None:
    served = await world({"a": Faults(), "b": Faults()}, routing=routing).serve("eth_gasPrice", "[]", wish)
    assert (served.outcome.reason, served.strategy) == (reason, strategy)
    assert sorted(served.plan.labels) == ["a:http", "b:http"]


async def test_a_transport_that_nobody_has_leaves_nobody(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    answer = await it.ask("eth_gasPrice", "[]", Wish(transport=Transport.WS))
    assert answer["error"]["message"] == "No channels available"


async def test_an_overrides_providers_budget_and_order_hold(autojump_clock: Clock, world: Build) -> None:
    override = MethodOverride(Strategy.PRIORITY, ("c", "b"), timeout_ms=500)
    hanging = Faults(failures=[Failure(Kind.HANG)])
    it = world({"a": Faults(), "b": hanging, "c": hanging}, routing=Routing(method_overrides={"eth_call": override}))
    started = trio.current_time()
    assert (await it.ask("eth_call"))["error"]["code"] == -32007
    assert trio.current_time() - started == pytest.approx(0.5)
    assert it.asked == {"b": 1, "c": 1}


async def test_when_nobody_can_everybody_is_tried(autojump_clock: Clock, world: Build) -> None:
    unable = Capabilities(unsupported_methods=("eth_gasPrice",))
    it = world({"a": DOWN, "b": Faults()}, capabilities={"a": unable, "b": unable})
    assert (await it.ask())["result"]


# Learning


async def test_fastest_learns_who_that_is_and_keeps_looking_in_on_the_others(
    autojump_clock: Clock, world: Build
) -> None:
    it = world(
        {"slow": Faults(latency=Latency.constant(80)), "quick": Faults(latency=Latency.constant(20))},
        strategy=Strategy.FASTEST,
    )
    for _ in range(100):
        await it.ask()
        await trio.sleep(0.3)  # each call meets a plan of its own
    assert it.asked["slow"] < 15
    late = Faults(latency=Latency.constant(5))
    it.provider("slow").set_faults(late)
    # Nobody looks in on a provider that is known to be slower, until what is known of it has been forgotten.
    served = [(await it.serve()).outcome.candidate.provider.id for _ in range(300)]
    assert (
        Counter(served)["quick"] > 250
    )  # nobody looks in on a provider that is known to be slower, until it is forgotten


async def test_a_cold_provider_is_measured_even_at_a_call_a_second(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults(), "c": Faults()}, strategy=Strategy.FASTEST)
    for _ in range(150):
        await it.ask()
        await trio.sleep(1)
    now = trio.current_time()
    assert all(it.channel(name).speed("eth_gasPrice", now) is not None for name in "abc")


# Counting


async def test_calls_errors_and_failovers_are_counted(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": DOWN, "b": Faults()})
    await it.ask()
    await it.ask("eth_chainId")
    await it.ask("eth_accounts")
    await it.ask("eth_gasPrice", "[]", Wish(provider="a"))
    counts, now = it.routed.counts, trio.current_time()
    assert (counts.calls, counts.errors, counts.failovers, counts.cancelled) == (4, 2, 1, 0)
    assert (counts.call_rate.total(now), counts.failover_rate.total(now)) == (4, 1)


async def test_who_would_be_asked_is_who_is_asked_with_preference(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults(), "c": Faults()}, strategy=Strategy.LOAD_BALANCED)
    prefer = it.service.choose(it.routed, Wish(), it.request(), trio.current_time())
    served = [await it.serve(prefer=prefer) for _ in range(5)]
    assert {(each.outcome.candidate, each.outcome.reason) for each in served} == {(prefer, "batch_affinity")}


# What it costs


async def steps_of_a_call(world: Any) -> int:
    """Python and C calls made by routing and providers for one call whose plan is there already."""
    steps = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal steps
        mine = (
            "/lasso_trio/routing/" in frame.f_code.co_filename or "/lasso_trio/providers/" in frame.f_code.co_filename
        )
        steps += mine and event in ("call", "c_call")

    await world.serve()
    sys.setprofile(count)
    try:
        await world.serve()
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_call_takes_the_same_steps_among_three_providers_and_among_fifty(
    autojump_clock: Clock, world: Build, strategy: Strategy
) -> None:
    # Over memory streams nothing can be sent at once, and a hedged call that must wait is raced from the beginning.
    routing = Routing(strategy, hedge=HedgePolicy(enabled=False))
    few, many = [world({f"p{i}": Faults() for i in range(size)}, routing=routing) for size in (3, 50)]
    for it in (few, many):
        for name in it.network.providers:  # everybody is known, or fastest would explore, and connected
            for _ in range(3):
                await it.serve("eth_gasPrice", "[]", Wish(provider=name))
    assert 0 < await steps_of_a_call(many) <= await steps_of_a_call(few) + 2  # a binary search may take longer


# Everything at once


def misfortune(rng: Random) -> Faults:
    """Some mixture of everything that can go wrong with a provider."""
    kinds = rng.sample(list(Kind), rng.randint(0, 4))
    failures = [
        attrs.evolve(
            Failure(kind, share=rng.choice([0.1, 0.3, 0.7, 1.0]), bytes_per_s=rng.choice([50, 5000])),
            status=rng.choice([429, 500, 502, 403, 400]),
            code=rng.choice([-32000, -32005, -32603, 3, -32601]),
            message=rng.choice(["internal error", "execution reverted", "too many requests", "header not found"]),
        )
        for kind in kinds
    ]
    latency = Latency(p50_ms=rng.choice([0, 5, 200]), sigma=rng.choice([0, 1]), stall_share=0.05, stall_ms=3000)
    return Faults(latency=latency, failures=failures, rps=rng.choice([None, None, 20]))


METHODS = {  # with what a sound answer to call n looks like
    "eth_gasPrice": lambda n, result: int(result, 16) > 10**9,
    "eth_getBlockByNumber": lambda n, result: result["number"] == hex(n),
    "eth_getStorageAt": lambda n, result: len(result) == 66,
    "devnet_blob": lambda n, result: len(result) == n,
}


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_goes_wrong_each_call_gets_its_own_answer_in_time_and_nothing_leaks(
    autojump_clock: Clock, world: Build, seed: int
) -> None:
    rng = Random(seed)
    it = world(
        {f"p{i}": misfortune(rng) for i in range(rng.randint(1, 5))},
        strategy=rng.choice(list(Strategy)),
        seed=seed,
        max_connections=rng.choice([2, 256]),
        stream_threshold=rng.choice([50, 256 * 1024]),
    )
    it.network.down |= {name for name in it.network.providers if rng.random() < 0.1}
    answers: list[int] = []

    async def call(n: int) -> None:
        method = rng.choice(list(METHODS))
        params = {"eth_getBlockByNumber": [hex(n), False], "devnet_blob": [n]}.get(method, [])
        params = ["0x" + "11" * 20, "0x0"] if method == "eth_getStorageAt" else params
        request, now = it.request(method, json.dumps(params)), trio.current_time()
        budget = it.routed.budget_s(request.method)
        leaves = rng.random() < 0.15
        with trio.move_on_after(rng.uniform(0, budget) if leaves else float("inf")) as patience:
            outcome = (await it.service.serve(it.routed, Wish(), request, now, stream=False)).outcome
        assert trio.current_time() - now <= budget + 1e-6
        if patience.cancelled_caught:
            return
        assert (outcome.reply is None) != (outcome.error is None)
        if outcome.reply is not None and outcome.reply.error is None:
            answer = json.loads(outcome.reply.splice(b"%d" % n))
            assert answer["id"] == n
            assert METHODS[method](n, answer["result"]), (method, n)
        answers.append(n)

    async with trio.open_nursery() as calls:
        for n in range(1, 121):
            calls.start_soon(call, n)
            await trio.sleep(rng.expovariate(20))
    assert len(answers) == len(set(answers)) == 120 - it.routed.counts.cancelled
    assert it.routed.counts.calls == 120
    it.assert_nothing_leaked()
    attempts = sum(candidate.tally.attempts for candidate in it.routed.candidates)
    retried = sum(candidate.channel.pool.counters.retried for candidate in it.routed.candidates)
    assert sum(it.asked.values()) <= attempts + retried
    await trio.sleep(700)  # every breaker is due by now, and every place in it free
    assert all(candidate.channel.admit(trio.current_time()) for candidate in it.routed.candidates)

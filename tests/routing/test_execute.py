from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import MethodOverride, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing.service import Served, Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock
WRITE = "eth_sendRawTransaction"


def failing(kind: Kind, delay_ms: float = 0.0, **details: object) -> Faults:
    return Faults(latency=Latency.constant(delay_ms), failures=[Failure(kind, **details)])  # type: ignore[arg-type]


def slow(ms: float) -> Faults:
    return Faults(latency=Latency.constant(ms))


DOWN = failing(Kind.HTTP)
HANGING = failing(Kind.HANG)
THROTTLED = failing(Kind.HTTP, status=429, retry_after_s=9)
REVERTING = failing(Kind.RPC, code=3, message="execution reverted", data="0x08c379a0")
INTERNAL = failing(Kind.RPC, code=-32603, message="internal error, node 1")
PRUNED = failing(Kind.RPC, code=-32000, message="missing trie node")


def break_open(world: Any, *names: str, ago: float = 0.0) -> None:
    for name in names:
        for _ in range(3):
            verdict = VERDICTS[Category.NETWORK_ERROR]
            world.channel(name).failed("eth_call", verdict, 0.0, trio.current_time() - ago)


async def half_open(world: Any, *names: str) -> None:
    break_open(world, *names)
    await trio.sleep(70)


def fields(served: Served) -> tuple[str | None, str, int]:
    """Who answered, why it was asked, how many attempts came before."""
    outcome = served.outcome
    return outcome.candidate.provider.id if outcome.candidate else None, outcome.reason, outcome.retries


# Reads


async def test_the_first_answers_and_nobody_else_is_asked(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(50), "b": slow(10)})
    served = await it.serve()
    assert fields(served) == ("a", "static_priority", 0)
    assert served.outcome.upstream_s == pytest.approx(0.05)
    assert it.asked == {"a": 1}
    it.assert_nothing_leaked()


@pytest.mark.parametrize(
    "fault",
    [DOWN, THROTTLED, INTERNAL, PRUNED, failing(Kind.GARBAGE), failing(Kind.WRONG_ID), failing(Kind.BOTH),
     failing(Kind.NEITHER), failing(Kind.RESET), failing(Kind.TRUNCATED), HANGING],
    ids=lambda fault: fault.failures[0].kind,
)  # fmt: skip
async def test_a_read_moves_on_from_every_failure(autojump_clock: Clock, world: Build, fault: Faults) -> None:
    it = world({"a": fault, "b": slow(10)})
    served = await it.serve()
    assert fields(served) == ("b", "failover", 1)
    assert served.outcome.reply.error is None
    assert it.asked == {"a": 1, "b": 1}
    it.assert_nothing_leaked()


async def test_who_failed_before_and_how_is_told(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": THROTTLED, "b": INTERNAL, "c": Faults()})
    served = await it.serve()
    assert [(m.provider, m.transport, m.category) for m in served.outcome.missed] == [
        ("a", "http", "rate_limit"),
        ("b", "http", "internal_error"),
    ]
    assert (await world({"a": Faults()}).serve()).outcome.missed == ()


async def test_a_provider_that_is_not_there_is_left_behind(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    it.network.down.add("a")
    assert fields(await it.serve()) == ("b", "failover", 1)
    assert it.asked == {"b": 1}


@pytest.mark.parametrize("method", ["eth_call", WRITE])
async def test_what_the_chain_says_goes_to_the_client_at_once(autojump_clock: Clock, world: Build, method: str) -> None:
    it = world({"a": REVERTING, "b": Faults()})
    answer = await it.ask(method)
    assert answer["error"] == {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}
    assert it.asked == {"a": 1}
    assert it.channel("a").breaker.failures == 0


async def test_three_are_asked_and_no_more(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": DOWN, "b": DOWN, "c": DOWN, "d": Faults()})
    answer = await it.ask()
    assert answer["error"]["code"] == -32002
    assert it.asked == {"a": 1, "b": 1, "c": 1}
    it.assert_nothing_leaked()


async def test_what_certainly_reached_nobody_is_no_dispatch(autojump_clock: Clock, world: Build) -> None:
    it = world({name: Faults() for name in "abcdef"})
    it.network.down |= set("abcde")
    assert fields(await it.serve()) == ("f", "failover", 5)


async def test_sixteen_are_considered_and_no_more(autojump_clock: Clock, world: Build) -> None:
    names = [f"p{i}" for i in range(20)]
    it = world({name: Faults() for name in names})
    it.network.down |= set(names)
    served = await it.serve()
    assert served.outcome.retries == 15
    assert served.outcome.error.data == {"reason": "refused"}


async def test_when_all_fail_the_last_upstreams_own_error_is_told(autojump_clock: Clock, world: Build) -> None:
    other = failing(Kind.RPC, code=-32603, message="internal error, node 2", data={"x": [1.0, "é"]})
    it = world({"a": INTERNAL, "b": other})
    assert (await it.ask())["error"] == {
        "code": -32603,
        "message": "internal error, node 2",
        "data": {"x": [1.0, "é"]},
    }
    assert it.asked == {"a": 1, "b": 1}


@pytest.mark.parametrize("later", [HANGING, DOWN, failing(Kind.GARBAGE)], ids=["hang", "500", "garbage"])
async def test_what_an_upstream_said_is_worth_more_than_a_later_silence(
    autojump_clock: Clock, world: Build, later: Faults
) -> None:
    it = world({"a": INTERNAL, "b": later})
    assert (await it.ask())["error"]["message"] == "internal error, node 1"
    assert it.asked == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (DOWN, -32002, "Server error"),
        (failing(Kind.HTTP, status=403), -32002, "HTTP 403"),
        (failing(Kind.HTTP, status=429), -32005, "Upstream rate limit exceeded"),
        (failing(Kind.GARBAGE), -32000, "Invalid upstream response"),
        (failing(Kind.RESET), -32000, "Upstream connection failed"),
        (HANGING, -32007, "Request timeout"),
    ],
)
async def test_when_nobody_said_anything_we_do(
    autojump_clock: Clock, world: Build, fault: Faults, code: int, message: str
) -> None:
    error = (await world({"a": fault, "b": fault}).ask())["error"]
    assert (error["code"], error["message"]) == (code, message)


async def test_an_answer_too_large_is_asked_of_nobody_else(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()}, max_response_bytes=5_000)
    overrides = it.request("eth_getCode", "[]").method
    assert overrides.replay_safe
    it.provider("a").set_faults(failing(Kind.HTTP, status=200, body="x" * 6000))
    assert (await it.ask("eth_getCode"))["error"]["data"] == {"reason": "response_too_large"}
    assert it.asked == {"a": 1}
    it.assert_nothing_leaked()


# Time


async def test_the_first_attempt_may_take_six_tenths_of_the_budget(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": HANGING, "b": slow(100)})
    started = trio.current_time()
    assert fields(await it.serve("eth_gasPrice")) == ("b", "failover", 1)
    assert trio.current_time() - started == pytest.approx(0.6 * 2.0 + 0.1)


async def test_the_second_may_take_all_that_is_left(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": HANGING, "b": slow(799), "c": Faults()})
    assert fields(await it.serve("eth_gasPrice")) == ("b", "failover", 1)
    it = world({"a": HANGING, "b": slow(801), "c": Faults()})
    started = trio.current_time()
    assert (await it.ask("eth_gasPrice"))["error"]["code"] == -32007
    assert trio.current_time() - started == pytest.approx(2.0)
    assert it.asked == {"a": 1, "b": 1}


async def test_a_second_that_hangs_behind_a_quick_failure_leaves_time_for_a_third(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": DOWN, "b": HANGING, "c": slow(750), "d": Faults()})
    started = trio.current_time()
    assert fields(await it.serve("eth_gasPrice")) == ("c", "failover", 2)
    assert trio.current_time() - started == pytest.approx(1.95)


async def test_the_last_that_may_be_asked_may_take_all_that_is_left(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": DOWN, "b": slow(1900)})
    assert fields(await it.serve("eth_gasPrice")) == ("b", "failover", 1)
    it = world({"a": DOWN, "b": DOWN, "c": slow(1900), "d": Faults()})
    assert fields(await it.serve("eth_gasPrice")) == ("c", "failover", 2)


async def test_who_is_alone_may_take_it_all(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(1900)})
    assert (await it.ask("eth_gasPrice"))["result"]


async def test_when_all_hang_the_client_is_told_at_the_deadline(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": HANGING, "b": HANGING, "c": HANGING})
    started = trio.current_time()
    error = (await it.ask("eth_gasPrice"))["error"]
    assert (error["code"], error["message"]) == (-32007, "Request timeout")
    assert trio.current_time() - started == pytest.approx(2.0)
    assert it.asked == {"a": 1, "b": 1}
    it.assert_nothing_leaked()


@pytest.mark.parametrize(("first_ms", "asked"), [(51, {"a": 1, "b": 1}), (76, {"a": 1})])
async def test_nothing_starts_with_less_than_25_ms_left(
    autojump_clock: Clock, world: Build, first_ms: int, asked: dict[str, int]
) -> None:
    """A budget of 100 ms and a first failure after 51 ms leave 49 ms for a second; after 76 ms they leave nothing."""
    routing = Routing(Strategy.PRIORITY, {WRITE: MethodOverride(timeout_ms=100)})
    it = world({"a": failing(Kind.HTTP, first_ms, status=429), "b": slow(40)}, routing=routing)
    answer = await it.ask(WRITE, '["0x02f8"]')
    assert it.asked == asked
    assert ("error" in answer) == ("b" not in asked)


async def test_a_call_that_comes_too_late_is_not_begun(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    request, now = it.request("eth_gasPrice"), trio.current_time()
    await trio.sleep(1.98)
    served = await it.service.serve(it.routed, Wish(), request, now)
    assert (served.outcome.error.code, served.outcome.error.data) == (-32000, {"reason": "deadline_exhausted"})
    assert it.asked == {}


async def test_the_deadline_counts_from_the_admission(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": HANGING})
    request, now = it.request("eth_gasPrice"), trio.current_time()
    await trio.sleep(1.5)
    await it.service.serve(it.routed, Wish(), request, now)
    assert trio.current_time() - now == pytest.approx(2.0)


# Breakers and cooldowns


async def test_a_rate_limited_provider_is_asked_last_until_its_time_is_over(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": THROTTLED, "b": Faults()})
    await it.ask()
    assert it.channel("a").cooldown.remaining(trio.current_time()) == pytest.approx(9)
    it.provider("a").set_faults(Faults())
    assert fields(await it.serve())[0] == "b"
    await trio.sleep(9)
    assert fields(await it.serve())[0] == "a"


async def test_a_rate_limited_provider_is_better_than_none(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": THROTTLED, "b": DOWN})
    await it.ask()
    it.provider("a").set_faults(Faults())
    assert fields(await it.serve()) == ("a", "failover", 1)


async def test_a_provider_that_keeps_failing_is_not_asked_any_more(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": DOWN, "b": Faults()})
    for _ in range(10):
        assert (await it.ask())["result"]
    assert it.asked == {"a": 5, "b": 10}
    assert it.channel("a").breaker.state(trio.current_time()) is State.OPEN


async def test_when_all_breakers_are_open_the_client_is_told_when_to_come_back(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    break_open(it, "a")
    await trio.sleep(20)
    break_open(it, "b")
    wait = it.channel("a").breaker.retry_after(trio.current_time())
    error = (await it.ask("eth_call"))["error"]
    assert error["code"] == -32000
    assert error["message"].startswith("No available channels for method: eth_call. All circuits open, retry after 4")
    assert wait * 1000 <= error["data"]["retry_after_ms"] < wait * 1000 + 1.001
    assert it.asked == {}
    await trio.sleep(error["data"]["retry_after_ms"] / 1000)
    assert "result" in await it.ask("eth_gasPrice")


async def test_half_open_lets_one_through_and_the_others_go_elsewhere(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": slow(500), "b": slow(500)})
    await half_open(it, "a", "b")
    answers: list[dict[str, Any]] = []

    async def ask() -> None:
        answers.append(await it.ask("eth_gasPrice"))

    for _ in range(5):
        nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    assert it.asked == {"a": 1, "b": 1}
    assert [answer["error"]["message"] for answer in answers] == [
        "No available channels for method: eth_gasPrice. All circuit breakers are open."
    ] * 3
    await trio.sleep(0.6)
    assert sum("result" in answer for answer in answers) == 2
    it.assert_nothing_leaked()


async def test_two_successes_close_it_again(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    await half_open(it, "a")
    for state in (State.HALF_OPEN, State.CLOSED):
        assert (await it.ask())["result"]
        assert it.channel("a").breaker.state(trio.current_time()) is state


async def test_nobody_who_could_serve_is_not_the_breakers_doing(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    break_open(it, "a")
    assert (await it.ask("eth_coinbase"))["error"]["message"] == "No channels available"
    assert (await it.ask("eth_call", "[]", Wish(provider="a")))["error"]["message"].startswith("No available channels")


async def test_who_has_no_connection_was_not_taken_out_by_an_operator(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    it.channel("a").pool = None
    assert (await it.ask())["error"]["message"] == "No channels available"


# Those who were refused by a breaker between the plan and the call


async def test_a_candidate_whose_breaker_is_busy_is_passed_over_without_a_failover(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": slow(500), "b": Faults()})
    break_open(it, "b")
    await half_open(it, "a")
    nursery.start_soon(it.ask)
    await trio.testing.wait_all_tasks_blocked()
    provider, reason, retries = fields(await it.serve())
    assert (provider, retries) == ("b", 0)
    assert reason != "failover"
    assert it.routed.counts.failovers == 0


# Cancellation


@pytest.mark.parametrize("after", [0.01, 1.25], ids=["first attempt", "second attempt"])
async def test_a_caller_that_leaves_leaves_nothing_behind(autojump_clock: Clock, world: Build, after: float) -> None:
    it = world({"a": HANGING, "b": HANGING})
    with trio.move_on_after(after) as patience:
        await it.serve("eth_gasPrice")
    assert patience.cancelled_caught
    it.assert_nothing_leaked()
    last = "a" if after < 1 else "b"
    assert it.channel(last).breaker.failures == 0
    assert it[last].tally.failures == 0
    assert it.routed.counts.cancelled == 1

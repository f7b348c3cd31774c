"""A finished call becomes the record that tells its whole story, whatever became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.errors import request_timeout
from lasso_trio.jsonrpc.large_reply import recognise
from lasso_trio.jsonrpc.reply import check
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.outcome import Large, Missed, Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import ANYTHING, Served
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Route
from lasso_trio.telemetry.call_record import SLOW_S, CallLog, CallRecord, json_line
from lasso_trio.telemetry.log import LEVELS, Log
from lasso_trio.telemetry.sink import LogSink
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.reply import Reply, Timings
from lasso_trio.upstream.response_head import parse_head

STARTED, ENDED = 100.0, 100.25


class Sink(LogSink):
    """Keeps the records instead of writing them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[CallRecord] = []

    def push(self, item: Any) -> None:
        self.records.append(item)


async def nobody() -> Any:
    raise AssertionError("nobody is dialled here")


def pool(endpoint: Endpoint) -> Pool:
    return Pool(endpoint, dial=nobody, clock=lambda: STARTED)


@pytest.fixture
def chain() -> RoutedChain:
    providers = tuple(Provider(name, name.title(), f"1:{name}:0", SecretUrl(f"http://{name}/")) for name in "ab")
    one = Chain("ethereum", 1, "Ethereum", providers)
    profile = Profile("public", "Public", (one,))
    registry = Registry(pool, Random(1))
    registry.add([profile])
    return RoutedChain.of(profile, one, registry)


@pytest.fixture
def sink() -> Sink:
    return Sink()


Tell = Callable[..., CallRecord | None]


@pytest.fixture
def tell(chain: RoutedChain, sink: Sink) -> Tell:
    """`tell(outcome, plan=…, params=…, ended=…, rate=…, level=…)`: the record, if there is one."""

    def tell_(
        outcome: Outcome,
        *,
        plan: Plan | None = None,
        params: str = "[]",
        ended: float = ENDED,
        rate: float = 1.0,
        level: str = "info",
    ) -> CallRecord | None:
        log = CallLog(Log(sink, pretty=False, level=LEVELS[level]), rate)
        request = decode(f'{{"jsonrpc":"2.0","id":7,"method":"eth_call","params":{params}}}'.encode())
        assert isinstance(request, Request)
        exchange = Exchange(Route("/rpc/ethereum", ANYTHING, chain=chain), "req-1", STARTED)
        CallTeller(log)(exchange, request, Served(outcome, Strategy.FASTEST, plan), ended)
        return sink.records[-1] if sink.records else None

    return tell_


def answered(chain: RoutedChain, text: str = '"result":"0x10"', **facts: Any) -> Outcome:
    reply = check(f'{{"jsonrpc":"2.0","id":5,{text}}}'.encode(), 5)
    return Outcome(reply, candidate=chain.candidates[0], reason="fastest", **facts)


def planned(chain: RoutedChain) -> Plan:
    ranked = chain.candidates
    return Plan(Strategy.FASTEST, "fastest", tuple(ranked), len(ranked), (), (), (), 1, 1e9)


def line(record: CallRecord | None) -> dict[str, Any]:
    assert record is not None
    told: dict[str, Any] = json.loads(json_line(record))
    return told


# What is told…


def test_a_good_call_is_told_with_who_answered_how_fast_and_how_much(chain: RoutedChain, tell: Tell) -> None:
    outcome = answered(chain, retries=1, selection_s=0.001, upstream_s=0.2)
    told = line(tell(outcome, plan=planned(chain)))
    assert (told["request_id"], told["transport"], told["jsonrpc_method"]) == ("req-1", "http", "eth_call")
    assert (told["profile"], told["chain"], told["chain_id"], told["strategy"]) == ("public", "ethereum", 1, "fastest")
    assert told["routing"] == {
        "candidate_providers": [candidate.label for candidate in chain.candidates],
        "selected_provider": {"id": "a", "protocol": "http"},
        "selection_reason": "fastest",
        "retries": 1,
        "circuit_breaker_state": "closed",
    }
    assert told["timing"] == {
        "selection_latency_ms": 1.0,
        "upstream_latency_ms": 200.0,
        "end_to_end_latency_ms": 250.0,
    }
    assert told["response"] == {"status": "success", "result_type": "string", "result_size_bytes": 6}


def test_a_call_that_failed_over_is_told_whatever_the_rate(chain: RoutedChain, tell: Tell) -> None:
    outcome = answered(chain, retries=1, missed=(Missed("b", "http", "rate_limit"),))
    told = line(tell(outcome, rate=0.0))
    assert (told["level"], told["request_id"]) == ("warning", "req-1")
    assert told["routing"]["failed_attempts"] == [{"id": "b", "protocol": "http", "category": "rate_limit"}]


def test_a_call_whose_first_answer_was_merely_behind_is_sampled_as_a_good_one(chain: RoutedChain, tell: Tell) -> None:
    assert tell(answered(chain, retries=1, behind=1), rate=0.0) is None
    told = line(tell(answered(chain, retries=1, behind=1)))
    assert (told["level"], told["routing"]["behind"]) == ("info", 1)
    assert line(tell(answered(chain, retries=2, behind=1), rate=0.0))["level"] == "warning"


@pytest.mark.parametrize(("params", "present"), [("[]", False), ('["0x1"]', True), ("{}", True)])
def test_params_are_told_of_but_not_told(chain: RoutedChain, tell: Tell, params: str, present: bool) -> None:
    assert line(tell(answered(chain), params=params))["params_present"] is present


def test_an_error_of_the_upstream_keeps_its_code_and_text_and_has_the_verdicts_category(
    chain: RoutedChain, tell: Tell
) -> None:
    outcome = answered(chain, '"error":{"code":3,"message":"execution reverted"}')
    assert line(tell(outcome))["response"]["error"]["category"] == "unknown_error"
    outcome.verdict = VERDICTS[Category.RATE_LIMIT]
    told = line(tell(outcome))
    assert told["response"] == {
        "status": "error",
        "error": {"code": 3, "message": "execution reverted", "category": "rate_limit"},
    }
    assert (told["level"], told["routing"]["selected_provider"]["id"]) == ("warning", "a")


def test_an_error_of_our_own_names_nobody_when_nobody_was_asked(tell: Tell) -> None:
    told = line(tell(Outcome(error=request_timeout(), reason="none")))
    assert told["routing"]["selected_provider"] is None
    assert told["routing"]["circuit_breaker_state"] == "unknown"
    assert told["response"]["error"] == {"code": -32007, "message": "Request timeout", "category": "timeout"}


def test_an_error_of_our_own_is_told_with_who_was_asked_last(chain: RoutedChain, tell: Tell) -> None:
    told = line(tell(Outcome(error=request_timeout(), candidate=chain.candidates[1])))
    assert told["routing"]["selected_provider"]["id"] == "b"


def test_the_breaker_is_told_as_it_is_when_the_call_ends(chain: RoutedChain, tell: Tell) -> None:
    for _ in range(3):
        chain.candidates[0].channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.1, STARTED)
    for ended, state in ((ENDED, "open"), (STARTED + 600, "half_open")):
        assert line(tell(answered(chain), ended=ended))["routing"]["circuit_breaker_state"] == state


@pytest.mark.parametrize(
    ("framing", "size"), [(b"content-length: 900000", 900_000), (b"transfer-encoding: chunked", 0)]
)
def test_a_large_result_is_as_large_as_the_upstream_says_its_answer_is(
    chain: RoutedChain, tell: Tell, framing: bytes, size: int
) -> None:
    parsed = parse_head(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    passing = recognise(b'{"jsonrpc":"2.0","id":5,"result":"' + b"x" * 200, 5, b"7")
    assert parsed is not None
    assert passing is not None
    who = chain.candidates[0]
    request = decode(b'{"jsonrpc":"2.0","id":7,"method":"eth_call","params":[]}')
    assert isinstance(request, Request)
    large = Large(passing, Reply(parsed[0], b"", None, Timings()), who, request.method)
    told = line(tell(Outcome(large=large, candidate=who)))
    assert told["response"] == {"status": "success", "result_size_bytes": size}


def test_a_call_answered_here_is_told_without_candidates(tell: Tell) -> None:
    reply = check(b'{"jsonrpc":"2.0","id":5,"result":true}', 5)
    told = line(tell(Outcome(reply, reason="local")))
    assert (told["routing"]["candidate_providers"], told["routing"]["selected_provider"]) == ([], None)
    assert told["response"] == {"status": "success", "result_type": "boolean", "result_size_bytes": 4}


# What it costs…


def test_what_calls_of_a_plan_share_is_made_once(chain: RoutedChain, tell: Tell, sink: Sink) -> None:
    plan = planned(chain)
    for _ in range(2):
        tell(answered(chain), plan=plan)
    first, second = sink.records
    assert first.scope is second.scope is plan.scope


@pytest.mark.parametrize(
    ("rate", "level", "fails", "ended", "wanted"),
    [
        (0.0, "info", False, ENDED, False),
        (0.0, "info", True, ENDED, True),
        (0.0, "info", False, STARTED + SLOW_S + 0.1, True),
        (1.0, "warning", False, ENDED, False),
        (1.0, "warning", True, ENDED, True),
        (1.0, "error", True, ENDED, False),
    ],
)
def test_failed_and_slow_calls_are_told_whatever_the_share_of_good_ones(
    chain: RoutedChain, tell: Tell, rate: float, level: str, fails: bool, ended: float, wanted: bool
) -> None:
    outcome = Outcome(error=request_timeout()) if fails else answered(chain)
    assert (tell(outcome, rate=rate, level=level, ended=ended) is not None) is wanted

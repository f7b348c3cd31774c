"""Calls that are traced: which are, under whom, and when their traces are complete."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio

from lasso_trio.devnet import Faults, Latency
from lasso_trio.routing.service import ANYTHING, Served, Wish
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Route
from lasso_trio.subscriptions.reader import READS
from lasso_trio.telemetry.call_record import CallLog, CallRecord, json_line
from lasso_trio.telemetry.log import LEVELS, Log
from lasso_trio.telemetry.sink import LogSink
from lasso_trio.tracing.sampling import Sampler
from lasso_trio.tracing.traced import Trace, TracedServed, TracedService, TracedTeller
from lasso_trio.upstream.call import Call as RawCall
from tests.routing.conftest import World, run_in_world

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED = Wish(traceparent=f"00-{TRACE}-{SPAN}-01", tracestate="a=b")
UNASKED = Wish(traceparent=f"00-{TRACE}-{SPAN}-00")
GOOD = Faults()


@attrs.define(eq=False)
class Traced:
    world: World
    service: TracedService
    kept: list[Trace]
    records: list[CallRecord] = attrs.field(factory=list)

    async def ask(self, wish: Wish = ANYTHING, method: str = "eth_gasPrice") -> Served:
        it = self.world
        return await self.service.serve(it.routed, wish, it.request(method), trio.current_time(), stream=False)

    def tell(self, served: Served) -> None:
        sink = LogSink()
        sink.push = self.records.append
        teller = TracedTeller(CallLog(Log(sink, False, LEVELS["info"])), complete=self.service.complete)
        exchange = Exchange(Route("/rpc/ethereum", ANYTHING, None, self.world.routed), "me", 0.0)
        attrs.evolve(teller, transport="ws")(exchange, self.world.request(), served, trio.current_time())


def traced(
    body: Callable[[Traced], Awaitable[None]], ratio: float = 1.0, faults: Faults = GOOD, propagate: bool = False
) -> None:
    async def within(world: World) -> None:
        kept: list[Trace] = []
        service = TracedService(sampler=Sampler(ratio, True), propagate=propagate, keep=kept.append)
        await body(Traced(world, service, kept))

    run_in_world(within, {"a": faults})


def test_a_call_that_was_told_is_a_complete_trace() -> None:
    async def body(it: Traced) -> None:
        served = await it.ask(ASKED)
        assert it.kept == []
        it.tell(served)
        (trace,) = it.kept
        assert (trace.id, trace.request_id, trace.client) == (TRACE, "me", "ws")
        assert trace.parent is not None
        assert (trace.parent.span_id, trace.parent.state) == (int(SPAN, 16), "a=b")
        assert trace.facts is not None
        assert (trace.facts.provider, trace.facts.error_category) == ("a", "")
        assert [step.provider for step in trace.trail.steps] == ["a"]

    traced(body)


@pytest.mark.parametrize("propagate", [False, True])
def test_a_provider_is_told_of_its_attempt_only_where_the_operator_wants_it(
    propagate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    async def body(it: Traced) -> None:
        monkeypatch.setattr(RawCall, "__init__", noting(RawCall.__init__, sent))
        it.tell(await it.ask(ASKED))
        (step,) = it.kept[0].trail.steps
        head = sent[-1].partition(b"\r\n\r\n")[0].decode().lower()
        assert (f"\r\ntraceparent: 00-{TRACE}-{step.mark:016x}-01\r\ntracestate: a=b" in head) is propagate
        assert bool(step.mark) is propagate
        assert step.mark != int(SPAN, 16)

    traced(body, propagate=propagate)


def noting(init: Callable[..., None], sent: list[bytes]) -> Callable[..., None]:
    """`init` of an upstream call, its request kept."""

    def made(self: object, pool: object, request: bytes, replay_safe: bool) -> None:
        sent.append(request)
        init(self, pool, request, replay_safe)

    return made


def test_the_log_line_names_the_trace() -> None:
    async def body(it: Traced) -> None:
        it.tell(await it.ask(ASKED))
        assert json.loads(json_line(it.records[0]))["trace_id"] == TRACE

    traced(body)


def test_a_call_that_is_not_sampled_is_an_ordinary_one() -> None:
    async def body(it: Traced) -> None:
        served = [await it.ask(), await it.ask(UNASKED)]
        for each in served:
            assert not isinstance(each, TracedServed)
            it.tell(each)
        assert it.kept == []
        assert "trace_id" not in json.loads(json_line(it.records[0]))

    traced(body, ratio=0.0)


def test_without_a_parent_a_trace_begins_here() -> None:
    async def body(it: Traced) -> None:
        one, two = await it.ask(), await it.ask(Wish(traceparent="nonsense"))
        assert one.trace.parent is two.trace.parent is None
        assert one.trace.trace_id != two.trace.trace_id

    traced(body)


def test_a_client_that_leaves_completes_its_trace() -> None:
    async def body(it: Traced) -> None:
        with trio.move_on_after(0.5):
            await it.ask()
        (trace,) = it.kept
        assert trace.facts is None
        assert trace.trail.steps[0].cancelled

    traced(body, faults=Faults(latency=Latency.constant(2000)))


def test_a_read_of_a_stream_needs_nobody_to_tell_of_it() -> None:
    async def body(it: Traced) -> None:
        await it.ask(READS[0])
        assert [trace.purpose for trace in it.kept] == ["stream"]

    traced(body)


def test_errors_tell_their_code_and_class() -> None:
    async def body(it: Traced) -> None:
        ours = await it.ask(Wish(provider="nobody"))
        assert (ours.trace.facts.error_code, ours.trace.facts.provider) == (-32602, None)
        theirs = await it.ask(method="eth_noSuchMethod")
        assert (theirs.trace.facts.error_code, theirs.trace.facts.error_category) == (-32601, "method_not_found")

    traced(body)


def test_a_trace_that_waits_holds_no_more_of_a_methods_name_than_is_told() -> None:
    async def body(it: Traced) -> None:
        it.tell(await it.ask(ASKED, "x" * 1_000_000))
        (trace,) = it.kept
        assert trace.method == "x" * 128

    traced(body)

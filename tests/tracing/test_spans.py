"""Spans say what became of a call and of each of its attempts."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from lasso_trio.routing.trail import Step, Trail
from lasso_trio.tracing.context import Parent
from lasso_trio.tracing.spans import resource_of, spans_of
from lasso_trio.tracing.traced import Facts, Trace

HERE = resource_of("edge", {"region": "eu", "service.name": "other"}, "node-1")
SECOND = 1_000_000_000


def trace(*steps: Step, facts: Facts | None = None, parent: Parent | None = None) -> Trace:
    return Trace(
        0xABC, 0xDEF, parent, "public", "ethereum", 1, "eth_call", "eth_call", "fastest", 10.0, 10.5, 100 * SECOND,
        Trail(list(steps)), 12.0, "me", "http", "call", facts,
    )  # fmt: skip


def facts(**more: object) -> Facts:
    usual: dict[str, object] = {
        "provider": "a", "transport": "http", "reason": "fastest", "retries": 0, "hedges": 0, "hedge_won": False,
        "cache": "", "result_bytes": 5, "error_code": None, "error_category": "",
    }  # fmt: skip
    return Facts(**{**usual, **more})


def step(started: float, ended: float | None = None, **more: object) -> Step:
    found = Step("a", "1:a", "http", "first", "fastest", 0, started, ended)
    for name, value in more.items():
        setattr(found, name, value)
    return found


def told(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_times_are_those_of_the_wall_clock() -> None:
    call, attempt = spans_of(trace(step(10.25, 11.0), facts=facts()), HERE)
    assert (call.start_time, call.end_time) == (int(99.5 * SECOND), int(101.5 * SECOND))
    assert (attempt.start_time, attempt.end_time) == (int(99.75 * SECOND), int(100.5 * SECOND))
    assert (call.kind, attempt.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert attempt.parent == call.context


def test_a_good_call_has_no_error() -> None:
    (call,) = spans_of(trace(facts=facts(cache="coalesced")), HERE)
    assert call.status.status_code is StatusCode.UNSET
    assert "error.type" not in told(call)
    assert (told(call)["lasso.coalesced"], told(call)["rpc.system.name"]) == (True, "jsonrpc")


def test_a_failed_call_tells_its_code_and_class() -> None:
    (call,) = spans_of(trace(facts=facts(error_code=-32000, error_category="timeout")), HERE)
    assert call.status.status_code is StatusCode.ERROR
    assert (told(call)["error.type"], told(call)["rpc.response.status_code"]) == ("timeout", "-32000")


def test_a_call_whose_client_left_says_so() -> None:
    (call,) = spans_of(trace(), HERE)
    assert told(call)["error.type"] == "client_disconnect"


def test_the_clients_span_is_the_parent_and_its_state_goes_along() -> None:
    (call,) = spans_of(trace(facts=facts(), parent=Parent(0xABC, 0x123, True, "v=1")), HERE)
    assert call.parent is not None
    assert (call.parent.span_id, call.parent.is_remote) == (0x123, True)
    assert call.context is not None
    assert call.context.trace_state.to_header() == "v=1"


def test_a_cancelled_attempt_tells_a_lower_bound() -> None:
    _, attempt = spans_of(trace(step(10.5, 11.0, cancelled=True), facts=facts()), HERE)
    assert (told(attempt)["lasso.attempt.verdict"], told(attempt)["lasso.attempt.at_least_ms"]) == ("cancelled", 500.0)


def test_an_attempt_that_never_ended_ends_with_its_call() -> None:
    call, attempt = spans_of(trace(step(10.5), facts=facts()), HERE)
    assert attempt.end_time == call.end_time


def test_attempts_that_have_no_span_are_counted() -> None:
    cut = trace(*[step(11.0, 11.5)] * 3, facts=facts())
    cut.trail.unwritten = 5
    call, *attempts = spans_of(cut, HERE)
    assert call.attributes is not None
    assert (call.attributes["lasso.attempts"], len(attempts)) == (8, 3)


def test_the_resource_is_what_the_operator_said() -> None:
    assert (HERE.attributes["service.name"], HERE.attributes["region"]) == ("edge", "eu")


def test_a_read_of_a_stream_is_not_a_clients_call() -> None:
    read = trace(facts=facts())
    read.purpose = "stream"
    assert spans_of(read, HERE)[0].kind is SpanKind.INTERNAL

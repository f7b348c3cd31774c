"""A trace as OpenTelemetry's spans: one of the server kind per call, one of the client kind per attempt under it.

Runs in the exporter's thread. Attributes follow the semantic conventions for RPC and JSON-RPC, in their present names
and in those that were current before (`rpc.system`, `rpc.jsonrpc.…`), which many back ends still read; ours begin with
`lasso.`. Ids of providers and names of error classes are told, no URL, no parameter and no upstream's words: a span can
hold no key.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from lasso_trio import __version__
from lasso_trio.routing.trail import Step
from lasso_trio.telemetry.call_record import MAX_METHOD_CHARS, MAX_REQUEST_ID_CHARS
from lasso_trio.telemetry.scrub import encodable
from lasso_trio.tracing.traced import Facts, Trace

SCOPE: Final = InstrumentationScope("lasso_trio", __version__)
LEFT: Final = "client_disconnect"

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_ids: Final = Random()

Attributes = dict[str, AttributeValue]


def resource_of(service: str, attributes: dict[str, str], node: str) -> Resource:
    """What all spans of this node say of themselves."""
    ours = {"service.name": service, "service.version": __version__, "service.instance.id": node}
    return Resource.create({**ours, **attributes, "service.name": service})


def spans_of(trace: Trace, resource: Resource) -> list[ReadableSpan]:
    """The call's span, then its attempts'."""
    own, steps = _context(trace, trace.span_id), trace.trail.steps
    return [_call_span(trace, own, resource), *(_attempt_span(trace, own, step, resource) for step in steps)]


def _context(trace: Trace, span_id: int, *, remote: bool = False) -> SpanContext:
    state = TraceState.from_header([trace.parent.state]) if trace.parent is not None and trace.parent.state else None
    return SpanContext(trace.trace_id, span_id, remote, _SAMPLED, state)


def _wall(trace: Trace, at: float) -> int:
    """Nanoseconds since 1970 at trio's time `at`."""
    return trace.wall_ns + round((at - trace.seen) * 1e9)


# The call…


def _call_span(trace: Trace, own: SpanContext, resource: Resource) -> ReadableSpan:
    facts = trace.facts
    category = LEFT if facts is None else facts.error_category
    return ReadableSpan(
        name=_name(trace),
        context=own,
        parent=None if trace.parent is None else _context(trace, trace.parent.span_id, remote=True),
        resource=resource,
        attributes=_known({**_basics(trace), **_call(trace), **({} if facts is None else _outcome(facts))}),
        kind=SpanKind.SERVER if trace.purpose == "call" else SpanKind.INTERNAL,
        status=_status(category),
        start_time=_wall(trace, trace.started),
        end_time=_wall(trace, trace.ended),
        instrumentation_scope=SCOPE,
    )


def _name(trace: Trace) -> str:
    return encodable(trace.row)


def _basics(trace: Trace) -> dict[str, AttributeValue | None]:
    return {
        "rpc.system.name": "jsonrpc",
        "rpc.system": "jsonrpc",
        "rpc.method": encodable(trace.method[:MAX_METHOD_CHARS]),
        "jsonrpc.protocol.version": "2.0",
        "rpc.jsonrpc.version": "2.0",
        "lasso.profile": trace.profile,
        "lasso.chain": trace.chain,
    }


def _call(trace: Trace) -> dict[str, AttributeValue | None]:
    return {
        "lasso.chain_id": str(trace.chain_id),
        "lasso.strategy": trace.strategy,
        "lasso.purpose": trace.purpose,
        "lasso.client.transport": trace.client or None,
        "lasso.request_id": encodable(trace.request_id[:MAX_REQUEST_ID_CHARS]) or None,
        "lasso.attempts": len(trace.trail.steps) + trace.trail.unwritten,
        "error.type": LEFT if trace.facts is None else None,
    }


def _outcome(facts: Facts) -> dict[str, AttributeValue | None]:
    return {
        "lasso.provider": facts.provider,
        "lasso.transport": facts.transport,
        "lasso.reason": facts.reason or None,
        "lasso.failovers": facts.retries,
        "lasso.hedges": facts.hedges,
        "lasso.hedge_won": facts.hedge_won if facts.hedges else None,
        "lasso.cache": facts.cache or None,
        "lasso.coalesced": True if facts.cache.startswith("coalesced") else None,
        "lasso.result_bytes": facts.result_bytes,
        **_error(facts.error_category or None, facts.error_code),
    }


def _error(category: str | None, code: int | None) -> dict[str, AttributeValue | None]:
    told = None if code is None else str(code)
    return {"error.type": category, "rpc.response.status_code": told, "rpc.jsonrpc.error_code": code}


# An attempt…


def _attempt_span(trace: Trace, call: SpanContext, step: Step, resource: Resource) -> ReadableSpan:
    ended = trace.ended if step.ended is None else step.ended
    return ReadableSpan(
        name=f"{_name(trace)} {step.provider}",
        context=_context(trace, step.mark or _ids.getrandbits(64) or 1),
        parent=call,
        resource=resource,
        attributes=_known({**_basics(trace), **_attempt(step, ended)}),
        kind=SpanKind.CLIENT,
        status=_status(step.category),
        start_time=_wall(trace, step.started),
        end_time=_wall(trace, ended),
        instrumentation_scope=SCOPE,
    )


def _attempt(step: Step, ended: float) -> dict[str, AttributeValue | None]:
    lost = step.cancelled
    return {
        "lasso.provider": step.provider,
        "lasso.transport": step.transport,
        "lasso.attempt.role": step.role,
        "lasso.attempt.reason": step.reason or None,
        "lasso.attempt.part": step.part,
        "lasso.attempt.dispatched": step.dispatched,
        "lasso.attempt.verdict": "cancelled" if lost else (step.category or "success"),
        "lasso.attempt.at_least_ms": round((ended - step.started) * 1000, 3) if lost else None,
        **_error(step.category, step.code),
    }


def _status(category: str | None) -> Status:
    return Status(StatusCode.ERROR, category) if category else Status(StatusCode.UNSET)


def _known(attributes: dict[str, AttributeValue | None]) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}


def all_spans(traces: Iterable[Trace], resource: Resource) -> list[ReadableSpan]:
    return [span for trace in traces for span in spans_of(trace, resource)]

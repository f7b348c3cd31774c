"""Calls that are traced: a service that decides which, follows them, and a teller that closes their spans.

Put in the place of the usual ones when tracing is on, and only then: a node without it runs none of this. What happens
on the loop is notes on a list; spans are made of them in the exporter's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from time import time_ns

import attrs

from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Service, Wish
from lasso_trio.routing.trail import Trail
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.server.exchange import Exchange
from lasso_trio.subscriptions.reader import READS
from lasso_trio.telemetry.call_record import MAX_METHOD_CHARS, CallRecord
from lasso_trio.tracing.context import Parent, lines_of, parent_of
from lasso_trio.tracing.sampling import Sampler


@attrs.define(eq=False)
class Trace:
    """One traced call, on its way and after it. Times are trio's clock, `wall_ns` is nanoseconds since 1970 at `seen`.

    `served` is None when the client left before there was an answer; the rest of what it holds is facts, no results.
    """

    trace_id: int
    span_id: int
    parent: Parent | None
    profile: str
    chain: str
    chain_id: int
    method: str
    row: str
    """The method's name in statistics: one of a bounded number."""
    strategy: str
    started: float
    seen: float
    wall_ns: int
    trail: Trail = attrs.field(factory=Trail)
    ended: float = 0.0
    request_id: str = ""
    client: str = ""
    purpose: str = "call"
    facts: Facts | None = None

    @property
    def id(self) -> str:
        return f"{self.trace_id:032x}"


@attrs.frozen
class Facts:
    """What became of the call, without its answer."""

    provider: str | None
    transport: str | None
    reason: str
    retries: int
    hedges: int
    hedge_won: bool
    cache: str
    result_bytes: int
    error_code: int | None
    error_category: str

    @classmethod
    def of(cls, outcome: Outcome) -> Facts:
        who, reply = outcome.candidate, outcome.reply
        code, category = _error_of(outcome)
        return cls(
            None if who is None else who.provider.id,
            None if who is None else str(who.channel.transport),
            outcome.reason,
            outcome.retries,
            outcome.hedges,
            outcome.hedge_won,
            outcome.cache,
            0 if reply is None else reply.result_size,
            code,
            category,
        )


def _error_of(outcome: Outcome) -> tuple[int | None, str]:
    if outcome.error is not None:
        return outcome.error.code, outcome.error.category
    if outcome.reply is not None and outcome.reply.error is not None:
        return outcome.reply.error.code, str(outcome.verdict.category) if outcome.verdict else "unknown_error"
    return None, ""


@attrs.define(eq=False)
class TracedServed(Served):
    trace: Trace = attrs.field(kw_only=True)


@attrs.define(eq=False)
class TracedService(Service):
    """`keep` takes traces that are complete; it must be cheap and must not raise."""

    sampler: Sampler = attrs.field(kw_only=True)
    propagate: bool = attrs.field(default=False, kw_only=True)
    """Providers are told the context of their attempt."""
    keep: Callable[[Trace], None] = attrs.field(kw_only=True)
    ids: Random = attrs.field(factory=Random, kw_only=True)

    async def serve(
        self,
        chain: RoutedChain,
        wish: Wish,
        request: Request,
        now: float,
        *,
        stream: bool = True,
        prefer: Candidate | None = None,
        room: Room | None = None,
        trail: Trail | None = None,
    ) -> Served:
        trace = None if trail is not None else self._sampled(chain, wish, request, now)
        if trace is None:
            return await super().serve(chain, wish, request, now, stream=stream, prefer=prefer, room=room, trail=trail)
        try:
            served = await super().serve(
                chain, wish, request, now, stream=stream, prefer=prefer, room=room, trail=trace.trail
            )
        except BaseException:  # the client left, or a mistake of ours: nobody will tell of it
            self.complete(trace, self.clock())
            raise
        return self._followed(trace, served, wish)

    def _sampled(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> Trace | None:
        parent = parent_of(wish.traceparent, wish.tracestate) if wish.traceparent else None
        trace_id = parent.trace_id if parent is not None else self.ids.getrandbits(128) or 1
        if not self.sampler.keeps(trace_id, parent):
            return None
        trace = self._begun(trace_id, parent, chain, wish, request, now)
        if self.propagate:
            trace.trail.marks = partial(self._marked, trace)
        return trace

    def _marked(self, trace: Trace) -> tuple[int, bytes]:
        span_id = self.ids.getrandbits(64) or 1
        return span_id, lines_of(trace.trace_id, span_id, "" if trace.parent is None else trace.parent.state)

    def _begun(
        self, trace_id: int, parent: Parent | None, chain: RoutedChain, wish: Wish, request: Request, now: float
    ) -> Trace:
        known, strategy = chain.chain, wish.strategy or chain.strategy_for(request.method)
        return Trace(
            trace_id,
            self.ids.getrandbits(64) or 1,
            parent,
            chain.profile.slug,
            known.key,
            known.chain_id,
            request.method.name[:MAX_METHOD_CHARS],  # a client may write a megabyte, and traces wait
            request.method.row,
            strategy.value,
            now,
            self.clock(),
            time_ns(),
        )

    def _followed(self, trace: Trace, served: Served, wish: Wish) -> TracedServed:
        trace.facts = Facts.of(served.outcome)
        if wish in READS:
            trace.purpose = "stream"
            self.complete(trace, self.clock())
        return TracedServed(served.outcome, served.strategy, served.plan, trace=trace)

    def complete(self, trace: Trace, ended: float) -> None:
        trace.ended = ended
        trace.trail.end(ended)
        self.keep(trace)


@attrs.define(eq=False)
class TracedTeller(CallTeller):
    """Tells as usual, with the trace's id in the line, and completes the trace."""

    complete: Callable[[Trace, float], None] = attrs.field(kw_only=True)

    def __call__(self, exchange: Exchange, request: Request, served: Served, ended: float) -> None:
        CallTeller.__call__(self, exchange, request, served, ended)
        if isinstance(served, TracedServed):
            trace = served.trace
            trace.request_id, trace.client = exchange.request_id, self.transport
            self.complete(trace, ended)

    def _record(
        self, exchange: Exchange, request: Request, served: Served, outcome: Outcome, ended: float, total_s: float
    ) -> CallRecord:
        record = CallTeller._record(self, exchange, request, served, outcome, ended, total_s)
        if isinstance(served, TracedServed):
            record.trace_id = served.trace.id
        return record

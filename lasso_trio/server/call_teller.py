"""Turns a finished call into its log record. On the path of each call: what is the same for all calls of a plan is
kept on the plan, and nothing is formatted here.
"""

from __future__ import annotations

import attrs

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.service import Served
from lasso_trio.server.exchange import Exchange
from lasso_trio.telemetry.call_record import CallLog, CallRecord, CallScope, encode_candidates

_NO_PARAMS = b"[]"


@attrs.define(eq=False)
class CallTeller:
    """`transport`: how clients of this door speak."""

    log: CallLog
    transport: str = "http"

    def __call__(self, exchange: Exchange, request: Request, served: Served, ended: float) -> None:
        outcome = served.outcome
        total_s = ended - exchange.started
        if self.log.wants(outcome.failed, total_s, outcome.retries - outcome.behind, ended):
            self.log.push(self._record(exchange, request, served, outcome, ended, total_s))

    def _record(
        self, exchange: Exchange, request: Request, served: Served, outcome: Outcome, ended: float, total_s: float
    ) -> CallRecord:
        who = outcome.candidate
        first, size = _result(outcome)
        record = CallRecord(
            _scope(exchange, served),
            exchange.request_id,
            self.transport,
            request.method.name,
            request.params != _NO_PARAMS,
            None if who is None else who.provider.id,
            None if who is None else who.channel.transport,
            outcome.reason,
            outcome.retries,
            "unknown" if who is None else who.channel.breaker.state(ended),
            outcome.selection_s,
            outcome.upstream_s,
            total_s,
            first,
            size,
        )
        if outcome.hedges:
            record.hedges, record.hedge_won = outcome.hedges, outcome.hedge_won
        if outcome.missed:
            record.missed = outcome.missed
        if outcome.behind:
            record.behind = outcome.behind
        if exchange.route.guard is not None:
            record.client = exchange.route.guard.client
        return _with_error(record, outcome) if outcome.failed else record


def _scope(exchange: Exchange, served: Served) -> CallScope:
    plan = served.plan
    if plan is not None and plan.scope is not None:
        return plan.scope
    chain = exchange.route.routed_chain
    labels = encode_candidates(plan.labels if plan is not None else ())
    scope = CallScope(chain.profile.slug, served.strategy.value, chain.chain.key, chain.chain.chain_id, labels)
    if plan is not None:
        plan.scope = scope
    return scope


def _result(outcome: Outcome) -> tuple[int, int]:
    """First byte and size of the result; the size of a large one is what the upstream said the whole answer has."""
    reply = outcome.reply
    if reply is not None:
        return reply.result_first, reply.result_size
    if outcome.large is not None:
        return 0, outcome.large.http.content_length or 0
    return 0, 0


def _with_error(record: CallRecord, outcome: Outcome) -> CallRecord:
    error: RpcError | None = outcome.error
    if error is not None:
        record.error_code, record.error_message, record.error_category = error.code, error.message, error.category
        return record
    assert outcome.reply is not None
    assert outcome.reply.error is not None
    record.error_code, record.error_message = outcome.reply.error.code, outcome.reply.error.text
    record.error_category = outcome.verdict.category if outcome.verdict is not None else "unknown_error"
    return record

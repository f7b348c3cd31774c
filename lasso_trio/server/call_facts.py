"""What metadata says of a call, put together from its exchange and its outcome, and how it gets into the answer's text.

Made for calls that ask for it only. The members go before the last brace, so the answer's own text stays as it came.
"""

from __future__ import annotations

from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.service import Served
from lasso_trio.server.exchange import Exchange
from lasso_trio.telemetry.meta import CallFacts, meta_json


def meta_of(exchange: Exchange, request: Request, served: Served, ended: float) -> bytes:
    """The `lasso_meta` object. `ended`: trio's clock."""
    return meta_json(facts_of(exchange, request, served, ended))


def meta_member(meta: bytes) -> bytes:
    """`meta` as a member that follows others."""
    return b',"lasso_meta":' + meta


def with_members(text: bytes, extra: bytes) -> bytes:
    """A JSON object's `text` with further members before its closing brace."""
    if not extra:
        return text
    end = text.rindex(b"}")
    return text[:end] + extra + text[end:]


def facts_of(exchange: Exchange, request: Request, served: Served, ended: float) -> CallFacts:
    chain, outcome, plan = exchange.route.routed_chain, served.outcome, served.plan
    who = outcome.candidate
    return CallFacts(
        request_id=exchange.request_id,
        profile=chain.profile.slug,
        strategy=served.strategy.value,
        chain=chain.chain.key,
        chain_id=chain.chain.chain_id,
        method=request.method.name,
        candidates=plan.labels if plan is not None else [],
        provider=who.provider.id if who is not None else "",
        transport=who.transport.value if who is not None else "",
        reason=outcome.reason,
        breaker_state=who.channel.breaker.state(ended).value if who is not None else "unknown",
        retries=outcome.retries,
        selection_s=outcome.selection_s,
        upstream_s=outcome.upstream_s,
        total_s=ended - exchange.started,
        hedges=outcome.hedges,
        hedge_delay_s=outcome.hedge_delay_s,
        won_by=outcome.won_by,
        saved_s=outcome.saved_s,
        cache=outcome.cache,
    )

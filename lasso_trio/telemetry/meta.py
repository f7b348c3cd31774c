"""`lasso_meta`: what a client may learn about the way its call went. Built only for calls that ask for it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final

import attrs
import msgspec

LONGEST_REQUEST_ID: Final = 128
MAX_HEADER_BYTES: Final = 4096

_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class CallFacts:
    """Everything about one call that metadata and the log line are made of. Times are seconds."""

    request_id: str
    profile: str
    strategy: str
    chain: str
    chain_id: int
    method: str
    candidates: tuple[str, ...] | list[str] = ()
    provider: str = ""
    transport: str = ""
    reason: str = ""
    breaker_state: str = "unknown"
    retries: int = 0
    selection_s: float = 0.0
    upstream_s: float = 0.0
    total_s: float = 0.0
    hedges: int = 0
    hedge_delay_s: float = 0.0
    won_by: str = ""
    """`first`, `hedge` or `failover`; empty when the call was not hedged, or nobody answered it."""
    saved_s: float = 0.0
    cache: str = ""


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def meta_json(facts: CallFacts) -> bytes:
    """The `lasso_meta` object, members without a value left out."""
    selected = {"id": facts.provider, "protocol": facts.transport} if facts.provider else None
    members: dict[str, Any] = {
        "version": "1.0",
        "request_id": shown_request_id(facts.request_id),
        "strategy": facts.strategy,
        "profile": facts.profile,
        "chain": facts.chain,
        "chain_id": facts.chain_id,
        "transport": facts.transport or None,
        "candidate_providers": list(facts.candidates) or None,
        "selected_provider": selected,
        "selection_reason": facts.reason or None,
        "selection_latency_ms": _ms(facts.selection_s),
        "upstream_latency_ms": _ms(facts.upstream_s),
        "end_to_end_latency_ms": _ms(facts.total_s),
        "lasso_overhead_ms": _ms(max(0.0, facts.total_s - facts.upstream_s)),
        "retries": facts.retries,
        "circuit_breaker_state": facts.breaker_state,
        "hedges": facts.hedges,
        "won_by": facts.won_by or None,
        "hedge_delay_ms": _ms(facts.hedge_delay_s) if facts.hedges else None,
        "saved_ms": _ms(facts.saved_s) if facts.won_by == "hedge" else None,
        "cache": facts.cache or None,
    }
    return _encode({name: value for name, value in members.items() if value is not None})


def shown_request_id(request_id: str) -> str:
    if len(request_id.encode()) <= LONGEST_REQUEST_ID:
        return request_id
    return f"sha256:{sha256(request_id.encode()).hexdigest()}"


def meta_headers(request_id: str, meta: bytes) -> bytes:
    """Header lines for `include_meta=headers`. A value that proxies on the way might refuse for its size is left
    out.
    """
    lines = b"x-lasso-request-id: %b\r\n" % shown_request_id(request_id).encode("latin-1", "replace")
    value = urlsafe_b64encode(meta).rstrip(b"=")
    return lines if len(value) > MAX_HEADER_BYTES else b"%bx-lasso-meta: %b\r\n" % (lines, value)

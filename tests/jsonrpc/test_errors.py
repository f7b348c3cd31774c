from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from lasso_trio.jsonrpc import errors
from lasso_trio.jsonrpc.errors import RpcError

WS_ONLY = "Method not supported over HTTP. Use WebSocket connection for subscriptions."
CATALOGUE: list[tuple[RpcError, int, int, str, Any]] = [
    (errors.parse_error(), 400, -32700, "Parse error: Invalid JSON", None),
    (errors.invalid_request(), 200, -32600, "Invalid Request", None),
    (errors.invalid_request("batch too large"), 200, -32600, "Invalid Request: batch too large", None),
    (errors.bad_id("no"), 200, -32602, "Invalid JSON-RPC request payload", {"reason": "no"}),
    (errors.body_too_large(), 413, -32600, "Invalid Request: request body too large", None),
    (errors.byte_budget_spent(), 503, -32008, "Local request byte capacity unavailable", None),
    (errors.method_not_supported(), 200, -32601, "Method not supported by proxy", None),
    (errors.websocket_only("/rpc/x"), 200, -32601, WS_ONLY, {"websocket_url": "/ws/rpc/x"}),
    (errors.rate_limited(100, 150), 429, -32000, "Rate limit exceeded. Limit: 100 requests per second.",
     {"retry_after_ms": 150, "rate_limit": 100}),
    (errors.profile_not_found("x"), 404, -32000, "Profile 'x' not found", {"error_type": "profile_not_found"}),
    (errors.profile_empty(), 400, -32602, "Profile cannot be empty", {"error_type": "profile_empty"}),
    (errors.unknown_chain("x", "p"), 400, -32602, "Unsupported chain: Unknown chain 'x' in profile 'p'", None),
    (errors.unknown_provider_route("x"), 400, -32602,
     "Unsupported chain: Provider 'x' is not configured for this chain", None),
    (errors.unknown_provider("x", 1, "p"), 200, -32602, "Provider 'x' not found",
     {"provider_id": "x", "chain_id": 1, "profile": "p"}),
    (errors.no_channels(), 200, -32000, "No channels available", None),
    (errors.sockets_elsewhere(), 200, -32000,
     "No channels available: the providers' WebSockets are at another worker of this node", None),
    (errors.request_timeout(), 200, -32007, "Request timeout", None),
    (errors.deadline_exhausted(), 200, -32000, "Request deadline exhausted", {"reason": "deadline_exhausted"}),
    (errors.outcome_indeterminate(), 200, -32000, "Upstream dispatch outcome is indeterminate", None),
    (errors.broken_reply(), 200, -32000, "Invalid upstream response", None),
    (errors.reply_too_large(), 200, -32000, "Upstream response too large", {"reason": "response_too_large"}),
    (errors.upstream_http_status(429), 200, -32005, "Upstream rate limit exceeded", {"http_status": 429}),
    (errors.upstream_http_status(502), 200, -32002, "Server error", {"http_status": 502}),
    (errors.upstream_http_status(403), 200, -32002, "HTTP 403", {"http_status": 403}),
    (errors.local_capacity(), 200, -32005, "Local request capacity unavailable", {"reason": "pool_full"}),
    (errors.internal_error(), 500, -32603, "Internal error", None),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status", "code", "text", "data"), CATALOGUE)
def test_the_catalogue(error: RpcError, status: int, code: int, text: str, data: object) -> None:
    body = {"code": code, "message": text} | ({} if data is None else {"data": data})
    assert error.status == status
    assert json.loads(error.encode(b'"abc"')) == {"jsonrpc": "2.0", "id": "abc", "error": body}


@pytest.mark.parametrize("id_", [b"18446744073709551616", b"1.0", b'"\\u0041"', b"null"])
def test_the_id_is_spliced_in_as_it_came(id_: bytes) -> None:
    assert b'"id":%b,' % id_ in errors.no_channels().encode(id_)


def test_texts_from_clients_are_encoded_and_not_pasted() -> None:
    name = '"},"id":1,"\u2028\n'
    assert json.loads(errors.unknown_chain(name, "p").encode())["error"]["message"].count(name) == 1


@pytest.mark.parametrize(
    ("wait_s", "seconds", "ms"), [(59.2, 60, 59_200), (60.0, 60, 60_000), (0.0004, 1, 1), (1.0001, 2, 1001)]
)
def test_a_client_that_waits_as_told_does_not_come_back_too_early(wait_s: float, seconds: int, ms: int) -> None:
    error = errors.all_circuits_open("eth_call", wait_s)
    assert error.message == f"No available channels for method: eth_call. All circuits open, retry after {seconds}s"
    assert error.data == {"retry_after_ms": ms}


def test_an_unknown_wait_is_not_told() -> None:
    error = errors.all_circuits_open("eth_call", None)
    assert error.message == "No available channels for method: eth_call. All circuit breakers are open."
    assert error.data is None
    assert error.code == -32000


@pytest.mark.parametrize(
    ("wait_s", "others_shut", "words", "data"),
    [
        (59.2, False, "All budgets are spent, retry after 60s", {"retry_after_ms": 59_200}),
        (0.0, False, "All budgets are spent, retry after 1s", {"retry_after_ms": 0}),
        (2.0, True, "All circuit breakers are open or budgets spent, retry after 2s", {"retry_after_ms": 2000}),
        (inf, False, "All budgets are spent", {}),
    ],
)
def test_a_spent_budget_is_no_open_breaker(wait_s: float, others_shut: bool, words: str, data: dict[str, Any]) -> None:
    error = errors.budgets_spent("eth_call", wait_s, others_shut=others_shut)
    assert error.message == f"No available channels for method: eth_call. {words}"
    assert (error.code, error.data) == (-32000, {"reason": "budget_spent", **data})

"""What a client is told when no upstream answer can be passed on: codes, texts, HTTP statuses.

The catalogue follows the original's client-visible one, so that clients that match on codes or texts keep working.
"""

from __future__ import annotations

from math import ceil, isinf
from typing import Any, Final

import msgspec

from lasso_trio.errors import LassoError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
UPSTREAM_HTTP_ERROR: Final = -32002
LIMIT_EXCEEDED: Final = -32005
TIMEOUT: Final = -32007
LOCAL_CAPACITY: Final = -32008
UNAUTHORIZED: Final = -32016

NULL_ID: Final = b"null"

_encode = msgspec.json.Encoder().encode


class RpcError(LassoError):
    """An answer of our own making. `status` is the HTTP status, `category` a short word for logs and counters."""

    def __init__(
        self, code: int, message: str, data: object = None, *, status: int = 200, category: str = "client_error"
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.data, self.status, self.category = code, message, data, status, category

    def encode(self, id_: bytes = NULL_ID) -> bytes:
        """The JSON-RPC response object, with the client's id spliced in as it came."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id_, _encode(error))


def parse_error() -> RpcError:
    return RpcError(PARSE_ERROR, "Parse error: Invalid JSON", status=400, category="parse_error")


def invalid_request(detail: str = "") -> RpcError:
    text = f"Invalid Request: {detail}" if detail else "Invalid Request"
    return RpcError(INVALID_REQUEST, text, category="invalid_request")


def bad_id(reason: str) -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid JSON-RPC request payload", {"reason": reason}, category="invalid_request")


def body_too_large() -> RpcError:
    return RpcError(INVALID_REQUEST, "Invalid Request: request body too large", status=413, category="invalid_request")


def byte_budget_spent() -> RpcError:
    return RpcError(LOCAL_CAPACITY, "Local request byte capacity unavailable", status=503, category="local_capacity")


def busy_address() -> RpcError:
    return RpcError(LIMIT_EXCEEDED, "Too many calls of this address at one time", status=429, category="rate_limit")


def restarting() -> RpcError:
    return RpcError(LOCAL_CAPACITY, "The node is restarting", status=503, category="local_capacity")


def method_not_supported() -> RpcError:
    return RpcError(METHOD_NOT_FOUND, "Method not supported by proxy", category="method_not_found")


def websocket_only(path: str) -> RpcError:
    return RpcError(
        METHOD_NOT_FOUND,
        "Method not supported over HTTP. Use WebSocket connection for subscriptions.",
        {"websocket_url": f"/ws{path}"},
        category="method_not_found",
    )


def rate_limited(limit: int, retry_after_ms: int) -> RpcError:
    return RpcError(
        SERVER_ERROR,
        f"Rate limit exceeded. Limit: {limit} requests per second.",
        {"retry_after_ms": retry_after_ms, "rate_limit": limit},
        status=429,
        category="client_rate_limit",
    )


def unauthorized(reason: str, why: str) -> RpcError:
    """`reason`: a word for programs."""
    return RpcError(
        UNAUTHORIZED, f"Unauthorized: {why}", {"reason": reason}, status=401, category="client_unauthorized"
    )


def forbidden(reason: str, why: str) -> RpcError:
    """The client is known, or need not be, and may not do this."""
    return RpcError(UNAUTHORIZED, f"Forbidden: {why}", {"reason": reason}, status=403, category="client_forbidden")


def profile_not_found(slug: str) -> RpcError:
    return RpcError(
        SERVER_ERROR,
        f"Profile '{slug}' not found",
        {"error_type": "profile_not_found"},
        status=404,
        category="profile_not_found",
    )


def profile_empty() -> RpcError:
    return RpcError(
        INVALID_PARAMS,
        "Profile cannot be empty",
        {"error_type": "profile_empty"},
        status=400,
        category="profile_empty",
    )


def unknown_chain(name: str, profile: str) -> RpcError:
    return RpcError(
        INVALID_PARAMS,
        f"Unsupported chain: Unknown chain '{name}' in profile '{profile}'",
        status=400,
        category="unknown_chain",
    )


def unknown_provider_route(provider: str) -> RpcError:
    return RpcError(
        INVALID_PARAMS,
        f"Unsupported chain: Provider '{provider}' is not configured for this chain",
        status=400,
        category="unknown_provider",
    )


def unknown_provider(provider: str, chain_id: int, profile: str) -> RpcError:
    return RpcError(
        INVALID_PARAMS,
        f"Provider '{provider}' not found",
        {"provider_id": provider, "chain_id": chain_id, "profile": profile},
        category="unknown_provider",
    )


def no_channels() -> RpcError:
    return RpcError(SERVER_ERROR, "No channels available", category="no_channels")


def sockets_elsewhere() -> RpcError:
    """Who insists on a provider's WebSocket asked a worker that has none."""
    message = "No channels available: the providers' WebSockets are at another worker of this node"
    return RpcError(SERVER_ERROR, message, category="no_channels")


def all_cordoned() -> RpcError:
    return RpcError(SERVER_ERROR, "No available channels: taken out of service by the operator", category="cordoned")


def all_circuits_open(method: str, retry_after_s: float | None) -> RpcError:
    if retry_after_s is None:
        text = f"No available channels for method: {method}. All circuit breakers are open."
        return RpcError(SERVER_ERROR, text, category="circuit_open")
    # Rounded up: a client that waits as told must not come back too early.
    seconds = max(1, ceil(retry_after_s))
    text = f"No available channels for method: {method}. All circuits open, retry after {seconds}s"
    return RpcError(SERVER_ERROR, text, {"retry_after_ms": ceil(retry_after_s * 1000)}, category="circuit_open")


def budgets_spent(method: str, retry_after_s: float, *, others_shut: bool) -> RpcError:
    """`retry_after_s`: infinity for a call that no budget will ever allow. `others_shut`: some have breakers open."""
    what = "All circuit breakers are open or budgets spent" if others_shut else "All budgets are spent"
    text, data = f"No available channels for method: {method}. {what}", {"reason": "budget_spent"}
    if isinf(retry_after_s):
        return RpcError(SERVER_ERROR, text, data, category="budget_spent")
    text, milliseconds = f"{text}, retry after {max(1, ceil(retry_after_s))}s", ceil(retry_after_s * 1000)
    return RpcError(SERVER_ERROR, text, {**data, "retry_after_ms": milliseconds}, category="budget_spent")


def request_timeout() -> RpcError:
    return RpcError(TIMEOUT, "Request timeout", category="timeout")


def deadline_exhausted() -> RpcError:
    return RpcError(SERVER_ERROR, "Request deadline exhausted", {"reason": "deadline_exhausted"}, category="timeout")


def outcome_indeterminate() -> RpcError:
    return RpcError(SERVER_ERROR, "Upstream dispatch outcome is indeterminate", category="indeterminate")


def broken_reply() -> RpcError:
    return RpcError(SERVER_ERROR, "Invalid upstream response", category="invalid_response")


def reply_too_large() -> RpcError:
    return RpcError(
        SERVER_ERROR,
        "Upstream response too large",
        {"reason": "response_too_large"},
        category="response_too_large",
    )


def upstream_unreachable(reason: str) -> RpcError:
    return RpcError(SERVER_ERROR, "Upstream connection failed", {"reason": reason}, category="network_error")


def upstream_http_status(status: int) -> RpcError:
    """For an HTTP error that held no JSON-RPC error object: 429 → -32005, the rest -32002."""
    if status == 429:
        return RpcError(LIMIT_EXCEEDED, "Upstream rate limit exceeded", {"http_status": 429}, category="rate_limit")
    text = "Server error" if status >= 500 else f"HTTP {status}"
    return RpcError(UPSTREAM_HTTP_ERROR, text, {"http_status": status}, category="server_error")


def local_capacity() -> RpcError:
    return RpcError(
        LIMIT_EXCEEDED, "Local request capacity unavailable", {"reason": "pool_full"}, category="local_capacity"
    )


def internal_error() -> RpcError:
    return RpcError(INTERNAL_ERROR, "Internal error", status=500, category="internal_error")

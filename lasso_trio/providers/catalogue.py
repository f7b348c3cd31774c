"""The error classes of Ethereum providers, as data: what each category means, and which codes and texts belong to it.

Facts only, no decisions: `classify` says in which order they are asked. Fragments are lower case and sought anywhere in
the folded message; within a group order is free, between groups it is not. The texts were collected from clients and
vendors by the original proxy and its peers; what differs from the original is marked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import attrs


class Category(StrEnum):
    """Whose fault it was. The names appear in profiles (`error_rules`), logs and metrics."""

    RATE_LIMIT = "rate_limit"
    NETWORK_ERROR = "network_error"
    SERVER_ERROR = "server_error"
    AUTH_ERROR = "auth_error"
    INTERNAL_ERROR = "internal_error"
    TIMEOUT = "timeout"
    PROVIDER_ERROR = "provider_error"
    CHAIN_ERROR = "chain_error"
    METHOD_ERROR = "method_error"
    CAPABILITY_VIOLATION = "capability_violation"
    REQUIRES_ARCHIVAL = "requires_archival"
    BLOCK_NOT_AVAILABLE = "block_not_available"
    METHOD_NOT_FOUND = "method_not_found"
    INVALID_REQUEST = "invalid_request"
    INVALID_PARAMS = "invalid_params"
    PARSE_ERROR = "parse_error"
    USER_ERROR = "user_error"
    CLIENT_ERROR = "client_error"
    EXECUTION_REVERT = "execution_revert"
    UNCLASSIFIED_SERVER_ERROR = "unclassified_server_error"
    UNKNOWN_ERROR = "unknown_error"
    LOCAL_CAPACITY = "local_capacity"
    """Our own limits were met; the provider was not asked."""


Kind = Literal["quota", "capability", "deterministic", "provider_failure"]


@attrs.frozen
class Verdict:
    """What to do about a failure.

    `retriable`: another provider may do better. `counts`: a failure for the breaker. `kind`: `quota` and `capability`
    always go to the next candidate, `deterministic` goes back to the client, `provider_failure` goes to the next
    candidate only when the call may be repeated.
    """

    category: Category
    retriable: bool
    counts: bool
    kind: Kind


def _verdicts() -> dict[Category, Verdict]:
    c = Category
    table = {category: Verdict(category, False, False, "deterministic") for category in c}
    for category in (c.NETWORK_ERROR, c.SERVER_ERROR, c.AUTH_ERROR, c.INTERNAL_ERROR, c.TIMEOUT, c.PROVIDER_ERROR,
                     c.CHAIN_ERROR, c.METHOD_ERROR):  # fmt: skip
        table[category] = Verdict(category, True, True, "provider_failure")
    for category in (c.CAPABILITY_VIOLATION, c.REQUIRES_ARCHIVAL, c.BLOCK_NOT_AVAILABLE, c.METHOD_NOT_FOUND,
                     c.LOCAL_CAPACITY):  # fmt: skip
        table[category] = Verdict(category, True, False, "capability")
    table[c.RATE_LIMIT] = Verdict(c.RATE_LIMIT, True, False, "quota")
    table[c.UNKNOWN_ERROR] = Verdict(c.UNKNOWN_ERROR, False, True, "provider_failure")
    return table


VERDICTS: Final = _verdicts()
"""One shared verdict per category."""

CODES: Final = {
    3: Category.EXECUTION_REVERT,
    -32700: Category.PARSE_ERROR,
    -32600: Category.INVALID_REQUEST,
    -32601: Category.METHOD_NOT_FOUND,
    -32602: Category.INVALID_PARAMS,
    -32603: Category.INTERNAL_ERROR,
    -32005: Category.RATE_LIMIT,
    -32004: Category.NETWORK_ERROR,
    -32003: Category.CLIENT_ERROR,
    -32002: Category.SERVER_ERROR,
    4001: Category.USER_ERROR,
    4100: Category.AUTH_ERROR,
    4200: Category.METHOD_ERROR,
    4900: Category.CHAIN_ERROR,
    4901: Category.NETWORK_ERROR,
    14: Category.SERVER_ERROR,  # dRPC
    23: Category.SERVER_ERROR,
    26: Category.BLOCK_NOT_AVAILABLE,
    30: Category.RATE_LIMIT,
    35: Category.CAPABILITY_VIOLATION,
    -31001: Category.SERVER_ERROR,  # Pocket
    -31002: Category.SERVER_ERROR,
    -32010: Category.EXECUTION_REVERT,  # Nethermind, Besu
    -32015: Category.EXECUTION_REVERT,
    -32016: Category.EXECUTION_REVERT,
    -32046: Category.RATE_LIMIT,  # Cloudflare
    -32701: Category.CAPABILITY_VIOLATION,  # PublicNode
    -32000: Category.UNCLASSIFIED_SERVER_ERROR,
    429: Category.RATE_LIMIT,
}

BEGINNINGS: Final = (
    # [differs] What follows these was written by a contract or by the client, so it is not looked at.
    ("execution reverted", Category.EXECUTION_REVERT),
    ("vm exception while processing transaction", Category.EXECUTION_REVERT),
    ("vm execution error", Category.EXECUTION_REVERT),
    ("reverted 0x", Category.EXECUTION_REVERT),
    ("invalid argument ", Category.INVALID_PARAMS),
)

GAS: Final = (
    # [differs] Asked first: these hold "limit exceeded" and the like without being a limit of the provider.
    "gas limit exceeded",
    "gas limit is exceeded",
    "exceeds gas limit",
    "exceeds block gas limit",
    "exceeds transaction gas limit",
    "exceeded gas limit",
    "gas limit reached",
    "gas limit too high",
    "transaction gas limit is too low",
    "gas required exceeds allowance",
    "out of gas",
)

GROUPS: Final = (
    (Category.EXECUTION_REVERT, GAS),
    (
        Category.RATE_LIMIT,
        (
            "rate limit", "too many requests", "throttled", "quota exceeded", "reached your quota", "monthly quota",
            "daily quota", "capacity exceeded", "request count exceeded", "maximum requests", "credits quota",
            "requests per second", "compute units", "cannot fulfill request", "request units",
            "timeout on the free tier",
            "exceeded the quota", "credits limited to", "rate-limit", "ratelimit",  # [differs]
            "monthly capacity limit",
        ),
    ),
    (
        Category.AUTH_ERROR,
        (
            "unauthorized", "authentication", "authenticate", "api key", "forbidden", "access denied",
            "permission denied",
        ),
    ),
    (
        Category.SERVER_ERROR,
        (
            "please retry", "temporary internal error", "try again", "service temporarily unavailable",
            "temporarily unavailable", "request timeout", "backend timeout", "resource unavailable",
            "service overloaded",
        ),
    ),
    (
        Category.INVALID_PARAMS,
        (
            "invalid argument", "cannot unmarshal", "unable to decode", "invalid hex", "odd length hex",
            "hex string without 0x prefix", "invalid address", "wrong number of arguments",
            "missing value for required argument", "abi: cannot marshal",
        ),
    ),
    (
        Category.EXECUTION_REVERT,
        (
            "execution reverted", "intrinsic gas too low", "gas limit below intrinsic gas", "gas too low",
            "gas uint64 overflow", "insufficient gas", "base fee exceeds gas limit", "nonce too low", "nonce too high",
            "insufficient funds", "already known", "replacement transaction underpriced", "transaction underpriced",
            "max fee per gas less than block base fee", "fee cap less than block base fee",
            "max priority fee per gas higher than max fee per gas", "max fee per blob gas", "blob base fee",
            "too many blobs", "invalid sender", "invalid opcode", "stack underflow", "stack overflow",
            "invalid jump destination", "revert", "vm exception", "evm error",
            "contract creation code storage out of gas", "max initcode size exceeded", "upfront cost exceeds",
            "does not match sender account nonce", "transaction type not supported",
        ),
    ),
    (
        Category.BLOCK_NOT_AVAILABLE,
        (
            "header not found", "block not found", "unknown block", "block is out of range",
            "could not be found", "could not find block", "blocks specified cannot be found",  # [differs]
        ),
    ),
    (
        Category.CAPABILITY_VIOLATION,
        (
            "query returned more than", "result set too large", "result limit exceeded", "too many results",
            "too many logs",
        ),
    ),
    (
        Category.CAPABILITY_VIOLATION,
        (
            "free tier", "maximum number of addresses", "max addresses", "too many addresses",
            "specify less number of addresses", "specify an address", "block range exceeded", "max block range",
            "block range too large", "range too large", "range not supported",
            "this range of parameters is not supported", "exceeds maximum block range", "invalid block range",
            "max is 1k blocks", "range is too large", "blocks are not supported", "ranges over", "is limited to",
            "archive node required", "requires archival", "archival data not available", "archival not available",
            "historical data not supported", "pruned", "missing trie node", "tracing not enabled",
            "debug not available", "trace not supported", "method not available", "method unavailable",
            "not supported", "not available", "not enabled", "does not support", "unsupported parameter range",
            "unsupported param range", "limit exceeded for this method", "exceeds limit", "exceeds maximum",
            "limit reached", "dedicated full node", "remove restrictions", "order a dedicated", "upgrade", "your plan",
            "your tier", "premium plan", "paid plan", "paid tier", "feature not enabled", "node is syncing",
            "state not available",
            "exceeds server limit", "exceeds max limit", "exceeded max limit", "range is too wide",  # [differs]
        ),
    ),
)  # fmt: skip

UNLESS: Final = {"unknown block": "unknown blockchain", "could not be found": "method"}
"""A fragment does not count in a message that also holds this."""

"""The words a profile may use for kinds of methods and kinds of errors.

Only the names live here, so that a file can be checked without the rooms that act on them; which methods a category
holds is `jsonrpc`'s knowledge, and what an error category means for a call is `providers`'.
"""

from __future__ import annotations

from typing import Final

METHOD_CATEGORIES: Final = (
    "core",
    "state",
    "network",
    "node_admin",
    "eip1559",
    "eip4844",
    "mempool",
    "filters",
    "subscriptions",
    "batch",
    "debug",
    "trace",
    "local_only",
    "txpool",
)

ERROR_CATEGORIES: Final = (
    "rate_limit",
    "capability_violation",
    "server_error",
    "requires_archival",
    "auth_error",
    "network_error",
    "client_error",
    "invalid_params",
    "method_not_found",
    "parse_error",
    "internal_error",
    "unknown_error",
    "method_error",
    "chain_error",
    "user_error",
)

"""What is known about each method: category, safety, time budget, and whether its answers tend to be large.

One table, read at import. Unknown methods are forwarded like any other, with careful defaults: dispatched once, ten
seconds. Names come from clients, so the cache of unknown ones is bounded; past the bound they share one row of
statistics.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs


class Safety(StrEnum):
    """What may be done with a call besides sending it once. Only `REPLAY_SAFE` calls may be sent again."""

    REPLAY_SAFE = "replay_safe"
    RAW_TRANSACTION_BROADCAST = "raw_transaction_broadcast"
    UPSTREAM_SIGNED = "upstream_signed"
    FILTER_CREATE = "filter_create"
    FILTER_AFFINE = "filter_affine"
    SUBSCRIPTION = "subscription"
    UNKNOWN = "unknown"


@attrs.frozen(eq=False)
class Method:
    """`timeout_s` is the budget of the whole call. `row` is the name under which statistics are kept."""

    name: str
    category: str
    safety: Safety
    timeout_s: float
    bulky: bool
    row: str
    raw: bytes
    replay_safe: bool


_CATEGORIES: Final[dict[str, str]] = {
    "core": """eth_blockNumber eth_chainId eth_gasPrice eth_getBalance eth_getCode eth_getTransactionByHash
        eth_getTransactionReceipt eth_getBlockByNumber eth_getBlockByHash eth_getBlockTransactionCountByHash
        eth_getBlockTransactionCountByNumber eth_getUncleCountByBlockHash eth_getUncleCountByBlockNumber
        eth_getUncleByBlockHashAndIndex eth_getUncleByBlockNumberAndIndex eth_getTransactionByBlockHashAndIndex
        eth_getTransactionByBlockNumberAndIndex""",
    "state": """eth_call eth_estimateGas eth_getStorageAt eth_getTransactionCount eth_createAccessList eth_getProof
        eth_simulateV1""",
    "network": "net_version web3_clientVersion web3_sha3 eth_syncing",
    "node_admin": "net_listening net_peerCount eth_protocolVersion",
    "eip1559": "eth_maxPriorityFeePerGas eth_feeHistory",
    "eip4844": "eth_blobBaseFee",
    "mempool": "eth_sendRawTransaction",
    "filters": """eth_getLogs eth_newFilter eth_getFilterChanges eth_getFilterLogs eth_uninstallFilter
        eth_newBlockFilter eth_newPendingTransactionFilter""",
    "subscriptions": "eth_subscribe eth_unsubscribe",
    "batch": "eth_getBlockReceipts",
    "debug": """debug_traceTransaction debug_traceBlockByNumber debug_traceBlockByHash debug_traceCall
        debug_getBadBlocks debug_storageRangeAt debug_getModifiedAccountsByNumber debug_getModifiedAccountsByHash""",
    "trace": """trace_block trace_transaction trace_call trace_callMany trace_rawTransaction
        trace_replayBlockTransactions trace_replayTransaction trace_filter trace_get""",
    "local_only": """eth_accounts eth_sign eth_signTransaction eth_sendTransaction eth_coinbase eth_mining eth_hashrate
        eth_getWork eth_submitWork eth_submitHashrate""",
    "txpool": "txpool_status txpool_content txpool_inspect",
}

CATEGORIES: Final = frozenset(_CATEGORIES) | {"unknown"}

_REPLAY_SAFE_CATEGORIES: Final = frozenset(
    {"core", "state", "network", "node_admin", "eip1559", "eip4844", "batch", "debug", "trace", "txpool"}
)

_SAFETY: Final[dict[str, Safety]] = {
    "eth_getLogs": Safety.REPLAY_SAFE,
    "eth_sendRawTransaction": Safety.RAW_TRANSACTION_BROADCAST,
    "eth_sendTransaction": Safety.UPSTREAM_SIGNED,
    "eth_sign": Safety.UPSTREAM_SIGNED,
    "eth_signTransaction": Safety.UPSTREAM_SIGNED,
    "personal_sign": Safety.UPSTREAM_SIGNED,
    "personal_sendTransaction": Safety.UPSTREAM_SIGNED,
    "eth_newFilter": Safety.FILTER_CREATE,
    "eth_newBlockFilter": Safety.FILTER_CREATE,
    "eth_newPendingTransactionFilter": Safety.FILTER_CREATE,
    "eth_getFilterLogs": Safety.FILTER_AFFINE,
    "eth_getFilterChanges": Safety.FILTER_AFFINE,
    "eth_uninstallFilter": Safety.FILTER_AFFINE,
    "eth_subscribe": Safety.SUBSCRIPTION,
    "eth_unsubscribe": Safety.SUBSCRIPTION,
}

_TIMEOUTS_S: Final[dict[float, str]] = {
    1.0: "eth_blockNumber eth_chainId net_version web3_clientVersion",
    2.0: """eth_gasPrice eth_getBalance eth_getTransactionCount eth_getCode eth_getTransactionByHash
        eth_getBlockByNumber eth_getBlockByHash eth_newFilter""",
    3.0: "eth_getTransactionReceipt",
    5.0: "eth_call eth_estimateGas eth_getLogs eth_getFilterLogs",
    30.0: "debug_traceTransaction",
    # The original keys this budget by `debug_traceBlock`, which no node has; these are the real names.
    45.0: "debug_traceBlockByNumber debug_traceBlockByHash",
}
_DEFAULT_TIMEOUT_S: Final = 10.0

_BULKY: Final = frozenset(
    [
        "eth_getLogs",
        "eth_getFilterLogs",
        "eth_getFilterChanges",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
        "txpool_content",
        "txpool_inspect",
        "eth_getProof",
        "eth_feeHistory",
    ]
)

DISALLOWED: Final = frozenset(
    {"eth_sendTransaction", "personal_sign", "eth_sign", "eth_signTransaction", "eth_accounts"}
)
"""Would need keys that live on a node; a proxy over shared providers refuses them."""

STICKY: Final = frozenset(
    name for name, safety in _SAFETY.items() if safety in (Safety.FILTER_CREATE, Safety.FILTER_AFFINE)
)
"""Make or name something that lives on one node."""

BROADCAST: Final = frozenset(name for name, safety in _SAFETY.items() if safety is Safety.RAW_TRANSACTION_BROADCAST)
"""Signed already, and the same wherever they are sent."""

WEBSOCKET_ONLY: Final = frozenset({"eth_subscribe", "eth_unsubscribe"})

_UNKNOWN_NAMES_KEPT: Final = 1024
_LONGEST_NAME: Final = 128


def _timeout(name: str) -> float:
    return next((seconds for seconds, names in _TIMEOUTS_S.items() if name in names.split()), _DEFAULT_TIMEOUT_S)


def _make(name: str, category: str, raw: bytes, row: str) -> Method:
    default = Safety.REPLAY_SAFE if category in _REPLAY_SAFE_CATEGORIES else Safety.UNKNOWN
    safety = _SAFETY.get(name, default)
    return Method(
        name=name,
        category=category,
        safety=safety,
        timeout_s=_timeout(name),
        bulky=name in _BULKY or category in ("debug", "trace"),
        row=row,
        raw=raw,
        replay_safe=safety is Safety.REPLAY_SAFE,
    )


_KNOWN: Final[dict[str, Method]] = {
    name: _make(name, category, f'"{name}"'.encode(), name)
    for category, names in _CATEGORIES.items()
    for name in names.split()
}
_unknown: dict[str, Method] = {}


def lookup(name: str, raw: bytes) -> Method:
    """The method called `name`; `raw` is its JSON text as the client spelt it (sent on unchanged when unknown)."""
    found = _KNOWN.get(name) or _unknown.get(name)
    if found is not None:
        return found
    if len(_unknown) >= _UNKNOWN_NAMES_KEPT or len(name) > _LONGEST_NAME:
        return _make(name, "unknown", raw, "other")
    return _unknown.setdefault(name, _make(name, "unknown", raw, name))


def known(name: str) -> Method | None:
    """The method if the registry has it, without remembering a new name."""
    return _KNOWN.get(name)


def all_known() -> tuple[Method, ...]:
    return tuple(_KNOWN.values())

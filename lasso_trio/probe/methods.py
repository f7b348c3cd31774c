"""Which methods are tried at which level, with the least parameters that are valid, and what an answer says of them.

Parameters name nothing that exists (zero hashes, an address nobody has), so that answers are small and cheap. Methods
that would need a node's keys are never tried, subscriptions belong to the WebSocket check. What a filter method leaves
behind is taken away again by `steps`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import attrs

from lasso_trio.jsonrpc import methods as registry
from lasso_trio.probe.answer import Answer, Told
from lasso_trio.providers.classify import ErrorClass

ADDRESS: Final = "0x00000000000000000000000000000000c0ffee42"
HASH: Final = "0x" + "00" * 31 + "01"
_CALL: Final = {"to": ADDRESS, "data": "0x"}
_NO_LOGS: Final = {"fromBlock": "latest", "toBlock": "latest", "address": ADDRESS}

_CRITICAL: Final = ("core",)
_STANDARD: Final = (*_CRITICAL, "state", "network", "eip1559", "mempool")
LEVELS: Final = {
    "critical": _CRITICAL,
    "standard": _STANDARD,
    "full": (*_STANDARD, "eip4844", "filters", "batch", "debug", "trace", "txpool"),
}
"""Categories by level."""
MOST_UNSUPPORTED: Final = 0.8
"""A category of which more is missing, and nothing was found, is proposed as unsupported."""

_PARAMS: Final[dict[str, list[Any]]] = {
    "eth_getBalance": [ADDRESS, "latest"],
    "eth_getCode": [ADDRESS, "latest"],
    "eth_getTransactionByHash": [HASH],
    "eth_getTransactionReceipt": [HASH],
    "eth_getBlockByNumber": ["latest", False],
    "eth_getBlockByHash": [HASH, False],
    "eth_getBlockTransactionCountByHash": [HASH],
    "eth_getBlockTransactionCountByNumber": ["latest"],
    "eth_getUncleCountByBlockHash": [HASH],
    "eth_getUncleCountByBlockNumber": ["latest"],
    "eth_getUncleByBlockHashAndIndex": [HASH, "0x0"],
    "eth_getUncleByBlockNumberAndIndex": ["latest", "0x0"],
    "eth_getTransactionByBlockHashAndIndex": [HASH, "0x0"],
    "eth_getTransactionByBlockNumberAndIndex": ["latest", "0x0"],
    "eth_call": [_CALL, "latest"],
    "eth_estimateGas": [_CALL],
    "eth_getStorageAt": [ADDRESS, "0x0", "latest"],
    "eth_getTransactionCount": [ADDRESS, "latest"],
    "eth_createAccessList": [_CALL, "latest"],
    "eth_simulateV1": [{"blockStateCalls": [{"calls": [_CALL]}]}, "latest"],
    "eth_getProof": [ADDRESS, [], "latest"],
    "web3_sha3": ["0x00"],
    "eth_feeHistory": ["0x1", "latest", []],
    "eth_sendRawTransaction": ["0x"],  # no transaction at all: refused by whoever has the method
    "eth_getLogs": [_NO_LOGS],
    "eth_newFilter": [_NO_LOGS],
    "eth_getFilterChanges": ["0x1"],
    "eth_getFilterLogs": ["0x1"],
    "eth_uninstallFilter": ["0x1"],
    "eth_getBlockReceipts": ["earliest"],
    "debug_traceTransaction": [HASH, {}],
    "debug_traceBlockByNumber": ["0x0", {}],
    "debug_traceBlockByHash": [HASH, {}],
    "debug_traceCall": [_CALL, "latest", {}],
    "debug_storageRangeAt": [HASH, 0, ADDRESS, "0x00", 1],
    "debug_getModifiedAccountsByNumber": [1, 1],
    "debug_getModifiedAccountsByHash": [HASH, HASH],
    "trace_block": ["0x1"],
    "trace_transaction": [HASH],
    "trace_call": [_CALL, ["trace"], "latest"],
    "trace_callMany": [[[_CALL, ["trace"]]], "latest"],
    "trace_rawTransaction": ["0x", ["trace"]],
    "trace_replayBlockTransactions": ["0x1", ["trace"]],
    "trace_replayTransaction": [HASH, ["trace"]],
    "trace_filter": [{"fromBlock": "0x1", "toBlock": "0x1", "toAddress": [ADDRESS], "count": 1}],
    "trace_get": [HASH, ["0x0"]],
}
_HEAVY: Final = frozenset({"txpool_content", "txpool_inspect"})
"""Answer with everything they have; `txpool_status` speaks for them."""

_HAS_IT: Final = frozenset(
    {
        ErrorClass.REVERT,
        ErrorClass.CLIENT_FAULT,
        ErrorClass.TRANSACTION_KNOWN,
        ErrorClass.TRANSACTION_REFUSED,
        ErrorClass.MISSING,
        ErrorClass.PRUNED,
        ErrorClass.SPLIT,
    }
)
_NOT_FOUND: Final = -32601
_INVALID_PARAMS: Final = -32602


class Support(StrEnum):
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"
    """Throttled, failed, or an error that says neither."""
    TIMEOUT = "timeout"


@attrs.frozen
class Trial:
    """One method that was tried. `why`: what was said, when it was no result."""

    method: str
    category: str
    support: Support
    ms: float
    why: str = ""


def trials(level: str) -> tuple[tuple[str, list[Any]], ...]:
    """The methods of a level with their parameters, in the order of the registry. Raises KeyError."""
    wanted = LEVELS[level]
    names = (method.name for method in registry.all_known() if method.category in wanted)
    return tuple((name, _PARAMS.get(name, [])) for name in names if name not in _HEAVY)


def judge(answer: Answer) -> Support:
    """Does the endpoint have the method, by its answer to a call with valid parameters?"""
    if answer.told in (Told.RESULT, Told.LARGE):
        return Support.SUPPORTED
    if answer.told is Told.TIMEOUT:
        return Support.TIMEOUT
    if answer.told is not Told.ERROR or answer.verdict is None:
        return Support.UNKNOWN
    if answer.code == _NOT_FOUND or answer.verdict.error_class is ErrorClass.CAPABILITY:
        return Support.UNSUPPORTED
    has_it = answer.code == _INVALID_PARAMS or answer.verdict.error_class in _HAS_IT
    return Support.SUPPORTED if has_it or _speaks_of_it(answer.text) else Support.UNKNOWN


def _speaks_of_it(text: str) -> bool:
    """Node software that has the method, about parameters that name nothing."""
    lowered = text.lower()
    return any(word in lowered for word in ("not found", "not traceable", "rlp", "empty", "no state", "unknown block"))


def lacking(tried: Iterable[Trial]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Categories, and single methods outside them, that a profile should name as unsupported."""
    by_category: dict[str, list[Trial]] = {}
    for trial in tried:
        by_category.setdefault(trial.category, []).append(trial)
    categories = tuple(name for name, its in by_category.items() if _lacks_all(its))
    missing = (t for its in by_category.values() for t in its if t.support is Support.UNSUPPORTED)
    return categories, tuple(trial.method for trial in missing if trial.category not in categories)


def _lacks_all(tried: list[Trial]) -> bool:
    """Nothing of it was found: a category that is left out takes what works along, `eth_getLogs` for instance."""
    missing = sum(trial.support is Support.UNSUPPORTED for trial in tried)
    return missing > MOST_UNSUPPORTED * len(tried) and not any(t.support is Support.SUPPORTED for t in tried)

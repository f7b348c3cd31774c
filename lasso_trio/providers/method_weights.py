"""How much of a provider's budget a method takes, in ordinary calls.

Vendors price calls in units that differ from each other and change; these are the proportions they have in common. A
profile that knows better says so (`limits.weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lasso_trio.jsonrpc.methods import known

ORDINARY: Final = 1

_BY_CATEGORY: Final[dict[str, int]] = {"debug": 10, "trace": 10, "txpool": 10, "batch": 5, "mempool": 2}
_BY_METHOD: Final[dict[str, int]] = {
    "eth_getLogs": 3,
    "eth_getFilterLogs": 3,
    "eth_estimateGas": 2,
    "eth_createAccessList": 2,
    "eth_getProof": 2,
}


def weight_of(method: str, own: Mapping[str, int]) -> int:
    """In ordinary calls, ≥ 0. `own`: what the profile says, by method name."""
    given = own.get(method, _BY_METHOD.get(method))
    if given is not None:
        return given
    found = known(method)
    return ORDINARY if found is None else _BY_CATEGORY.get(found.category, ORDINARY)

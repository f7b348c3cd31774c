from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.methods import all_known
from lasso_trio.providers.method_weights import weight_of


@pytest.mark.parametrize(
    ("method", "weight"),
    [
        ("eth_blockNumber", 1),
        ("eth_call", 1),
        ("eth_getLogs", 3),
        ("eth_estimateGas", 2),
        ("eth_sendRawTransaction", 2),
        ("eth_getBlockReceipts", 5),
        ("debug_traceTransaction", 10),
        ("trace_block", 10),
        ("nobody_knows", 1),
    ],
)
def test_methods_weigh_what_the_documentation_says(method: str, weight: int) -> None:
    assert weight_of(method, {}) == weight


def test_the_profile_knows_better() -> None:
    own = {"eth_getLogs": 7, "eth_chainId": 0, "nobody_knows": 4}
    assert [weight_of(method, own) for method in own] == [7, 0, 4]


def test_nothing_is_free_by_itself() -> None:
    assert all(weight_of(method.name, {}) >= 1 for method in all_known())

"""Refusals of a simulated node are error objects as geth would send them."""

from __future__ import annotations

import pytest

from lasso_trio.devnet.errors import SERVER_ERROR, NodeError, invalid, unknown_method
from lasso_trio.devnet.json_types import Json
from lasso_trio.providers.classify import classify


def test_an_error_without_data_has_no_such_member() -> None:
    assert NodeError(SERVER_ERROR, "no").to_json() == {"code": -32000, "message": "no"}


@pytest.mark.parametrize("data", ["0x", "", 0, [], {"reason": "x"}])
def test_data_is_sent_however_little_it_is(data: Json) -> None:
    assert NodeError(3, "execution reverted", data).to_json()["data"] == data


def test_a_wrong_argument_is_named_by_its_position() -> None:
    assert invalid(1, "hex string").to_json() == {"code": -32602, "message": "invalid argument 1: hex string"}


@pytest.mark.parametrize(
    ("error", "category"), [(invalid(0, "x"), "invalid_params"), (unknown_method("eth_nope"), "method_not_found")]
)
def test_refusals_are_classified_as_those_of_real_nodes(error: NodeError, category: str) -> None:
    assert classify(200, error.code, error.message, None, (), "eth_nope").category == category

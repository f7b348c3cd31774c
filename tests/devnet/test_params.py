from __future__ import annotations

import pytest

from lasso_trio.devnet import params as read
from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.json_types import Json

VIEW = Chain(start_height=1000, block_time=None).view(0.0)


@pytest.mark.parametrize(
    ("tag", "number"),
    [("latest", 1000), ("pending", 1001), ("earliest", 0), ("safe", 968), ("finalized", 936), ("0x10", 16), (16, 16)],
)
def test_blocks_are_named_by_tag_or_number(tag: Json, number: int) -> None:
    assert read.block_number(VIEW, tag, 0) == number


@pytest.mark.parametrize("value", [None, "0x", "10", "0xzz", -1, 1.0, True, [], "newest"])
def test_other_block_names_are_refused(value: Json) -> None:
    with pytest.raises(NodeError) as refused:
        read.block_number(VIEW, value, 0)
    assert refused.value.code == -32602


def test_state_of_pending_is_the_state_of_the_head_and_the_default() -> None:
    assert read.state_block(VIEW, ["pending"], 0) == read.state_block(VIEW, [], 0) == 1000


def test_state_may_be_asked_by_block_object() -> None:
    block = VIEW.block(7)
    assert block is not None
    assert read.state_block(VIEW, [{"blockHash": block.hash}], 0) == 7
    assert read.state_block(VIEW, [{"blockNumber": "0x8"}], 0) == 8
    with pytest.raises(NodeError, match="header for hash not found"):
        read.state_block(VIEW, [{"blockHash": "0x" + "00" * 32}], 0)


def test_state_above_the_head_or_below_what_is_kept_is_missing() -> None:
    with pytest.raises(NodeError, match="header not found"):
        read.state_block(VIEW, [hex(1001)], 0)
    with pytest.raises(NodeError, match="missing trie node"):
        read.state_block(VIEW, [hex(871)], 0, depth=128)
    assert read.state_block(VIEW, [hex(872)], 0, depth=128) == 872


def test_data_has_the_size_that_is_asked_for() -> None:
    assert read.data(["0xAB"], 0, 1) == "0xab"
    for bad in ("0xabc", "ab", "0xabab", 5):
        with pytest.raises(NodeError):
            read.data([bad], 0, 1)


def test_a_missing_argument_is_named_by_its_position() -> None:
    with pytest.raises(NodeError, match="missing value for required argument 1"):
        read.at(["x"], 1)

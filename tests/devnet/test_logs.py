from __future__ import annotations

import pytest

from lasso_trio.devnet.blocks import ACCOUNTS, TOKENS, TRANSFER, word
from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.logs import get_logs

VIEW = Chain(start_height=60, block_time=None).view(0.0)
EVERYTHING = {"fromBlock": "earliest", "toBlock": "latest"}
ALL = get_logs(VIEW, EVERYTHING, 1000)
SENDER = "0x" + word(ACCOUNTS[0])


def find(**query: Json) -> list[dict[str, Json]]:
    return get_logs(VIEW, {**EVERYTHING, **query}, 1000)


def test_logs_come_in_the_order_of_the_chain() -> None:
    places = [(int(log["blockNumber"], 16), int(log["logIndex"], 16)) for log in ALL]
    assert places == sorted(places)
    assert len(set(places)) == len(places) >= 60


def test_without_a_range_only_the_head_is_searched() -> None:
    assert get_logs(VIEW, {}, 1000) == [log for log in ALL if log["blockNumber"] == hex(60)]


def test_a_range_takes_both_ends() -> None:
    numbers = {log["blockNumber"] for log in find(fromBlock="0x5", toBlock="0x7")}
    assert numbers == {"0x5", "0x6", "0x7"}


def test_a_block_hash_selects_its_block() -> None:
    assert get_logs(VIEW, {"blockHash": ALL[0]["blockHash"]}, 1000) == [
        log for log in ALL if log["blockHash"] == ALL[0]["blockHash"]
    ]


def test_addresses_select_one_or_any_of_several_in_any_case() -> None:
    assert find(address="0x" + TOKENS[0][2:].upper()) == [log for log in ALL if log["address"] == TOKENS[0]]
    assert find(address=list(TOKENS[:2])) == [log for log in ALL if log["address"] in TOKENS[:2]]
    assert find(address=list(TOKENS)) == find(address=[]) == find(address=None) == ALL


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ([], ALL),
        ([TRANSFER], ALL),
        ([SENDER], []),
        ([None, SENDER], [log for log in ALL if log["topics"][1] == SENDER]),
        ([[TRANSFER, SENDER], [SENDER]], [log for log in ALL if log["topics"][1] == SENDER]),
        ([None, None, SENDER], [log for log in ALL if log["topics"][2] == SENDER]),
        ([None, [SENDER, None]], ALL),
        ([TRANSFER, []], ALL),
        ([None, None, None, None], []),
    ],
    ids=str,
)
def test_topics_select_by_position_with_wildcards_and_alternatives(topics: list[Json], expected: list[Json]) -> None:
    assert find(topics=topics) == expected


def test_blocks_above_the_head_are_silently_empty() -> None:
    assert find(fromBlock=hex(61), toBlock=hex(70)) == []
    assert find(fromBlock=hex(60), toBlock=hex(70)) == get_logs(VIEW, {}, 1000)


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ({"blockHash": "0x" + "00" * 32}, -32000, "unknown block"),
        ({"blockHash": "0x" + "00" * 32, "fromBlock": "0x1"}, -32602, "cannot specify both"),
        ({"fromBlock": "0x5", "toBlock": "0x4"}, -32602, "invalid block range"),
        ({"fromBlock": "0x1", "toBlock": "0xb"}, -32602, "query exceeds max block range 10"),
        ({"fromBlock": "five"}, -32602, "hex string expected"),
        ({"address": "0x12"}, -32602, "want 40"),
        ({"topics": [1]}, -32602, "hex string expected"),
        ({"topics": "0x"}, -32602, "topics must be a list"),
        ("nothing", -32602, "filter object"),
    ],
)
def test_bad_filters_are_refused_with_a_reason(query: Json, code: int, text: str) -> None:
    with pytest.raises(NodeError, match=text) as refused:
        get_logs(VIEW, query, 10)
    assert refused.value.code == code

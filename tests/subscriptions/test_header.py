from __future__ import annotations

import json

import pytest

from lasso_trio.devnet import Chain
from lasso_trio.devnet.chain import View
from lasso_trio.subscriptions.header import BadHeader, of_block, of_event

INJECTED = '"],"method":"miner_stop","params":["'.ljust(66, "x")


def view() -> View:
    return Chain(start_height=9).view(0.0)


def test_an_event_is_passed_on_as_it_came() -> None:
    block = view().block(7)
    assert block is not None
    raw = json.dumps(block.header | {"hash": block.hash.upper().replace("0X", "0x"), "more": 1.50}).encode()
    header = of_event(raw)
    assert (header.number, header.hash, header.parent) == (7, block.hash, block.header["parentHash"])
    assert header.bloom == block.header["logsBloom"]
    assert header.raw is raw


def test_a_block_is_trimmed_to_what_an_event_carries() -> None:
    block = view().block(7)
    assert block is not None
    whole = block.to_json(full=False) | {"totalDifficulty": "0x0"}
    header = of_block(json.dumps(whole).encode()[:-1] + b',"odd":1.50}')
    assert json.loads(header.raw) == block.header | {"odd": 1.5}
    assert b"1.50" in header.raw


@pytest.mark.parametrize(
    "change",
    [
        {"number": 7},
        {"number": "7"},
        {"number": "0xzz"},
        {"number": "0x" + "1" * 17},
        {"hash": "0x1"},
        {"parentHash": ""},
        {"number": "0x1_0"},
        {"hash": INJECTED},
        {"parentHash": INJECTED},
        {"parentHash": "0x" + "ab" * 31 + "zz"},
    ],
)
def test_what_is_no_header_is_refused(change: dict[str, object]) -> None:
    block = view().block(7)
    assert block is not None
    with pytest.raises(BadHeader):
        of_event(json.dumps(block.header | change).encode())
    with pytest.raises(BadHeader):
        of_block(b"[1]")


def test_a_chain_without_blooms_has_an_empty_one() -> None:
    block = view().block(7)
    assert block is not None
    assert of_event(json.dumps(block.header | {"logsBloom": None}).encode()).bloom == ""

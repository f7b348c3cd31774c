from __future__ import annotations

from lasso_trio.devnet import blocks
from lasso_trio.devnet.blocks import Seed

SEED = Seed(31337, 100, "salt", "parent salt", 1_700_000_000)


def test_a_block_follows_from_its_seed_alone() -> None:
    first = blocks.build(SEED)
    blocks.build.cache_clear()
    assert blocks.build(SEED) == first


def test_every_part_of_the_seed_that_names_a_block_changes_its_hash() -> None:
    hashes = {blocks.block_hash(1, 5, "a"), blocks.block_hash(2, 5, "a"), blocks.block_hash(1, 6, "a")}
    assert len(hashes | {blocks.block_hash(1, 5, "b")}) == 4


def test_a_hash_tells_the_place_of_its_block_and_transaction() -> None:
    block = blocks.build(SEED)
    assert blocks.place_of(block.hash) == (100, 0)
    assert [blocks.place_of(t["hash"]) for t in block.transactions] == [
        (100, index) for index in range(len(block.transactions))
    ]


def test_the_parent_hash_is_the_hash_of_the_block_below() -> None:
    assert blocks.build(SEED).header["parentHash"] == blocks.block_hash(31337, 99, "parent salt")


def test_the_gas_of_the_receipts_adds_up_to_the_gas_of_the_block() -> None:
    block = blocks.build(SEED)
    assert sum(int(r["gasUsed"], 16) for r in block.receipts) == int(block.header["gasUsed"], 16)


def test_logs_are_numbered_through_the_block_and_name_it() -> None:
    for number in range(1, 40):
        block = blocks.build(Seed(1, number, "s", "s", 0))
        logs = list(block.logs())
        assert [log["logIndex"] for log in logs] == [hex(i) for i in range(len(logs))]
        assert logs
        assert {log["blockHash"] for log in logs} == {block.hash}


def test_only_the_full_block_holds_transactions_as_objects() -> None:
    block = blocks.build(SEED)
    assert block.to_json(full=False)["transactions"] == [t["hash"] for t in block.to_json(full=True)["transactions"]]
    assert "transactions" not in block.header

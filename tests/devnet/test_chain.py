from __future__ import annotations

import math

import pytest

from lasso_trio.devnet.chain import Branch, Chain


def test_the_chain_grows_by_one_block_per_block_time() -> None:
    chain = Chain(block_time=2.0, start_height=10)
    chain.start(100.0)
    assert [chain.height(now) for now in (100.0, 101.9, 102.0, 110.5)] == [10, 10, 11, 15]


def test_the_next_block_comes_exactly_when_it_is_announced() -> None:
    chain = Chain(block_time=0.3, start_height=0)
    chain.start(1234.5)
    now = 1234.5
    for height in range(1, 2000):
        now = chain.next_block_at(now)
        assert chain.height(now) == height


def test_a_chain_without_block_time_grows_by_advance_alone() -> None:
    chain = Chain(block_time=None, start_height=5)
    chain.start(0.0)
    chain.advance(3)
    assert chain.height(1e9) == 8
    assert chain.next_block_at(0.0) == math.inf


def test_every_block_names_its_parent_even_across_reorgs() -> None:
    chain = Chain(start_height=50, block_time=None)
    for depth in (3, 10, 1, 7):
        chain.reorg(depth, 0.0, longer_by=2)
    view = chain.view(0.0)
    for number in range(1, view.head + 1):
        block, parent = view.block(number), view.block(number - 1)
        assert block is not None
        assert parent is not None
        assert block.header["parentHash"] == parent.hash


def test_a_reorg_replaces_just_the_newest_blocks() -> None:
    chain = Chain(start_height=50, block_time=None)
    before = chain.view(0.0)
    chain.reorg(3, 0.0)
    after = chain.view(0.0)
    same = [n for n in range(51) if before.block(n) == after.block(n)]
    assert same == list(range(48))
    assert after.parts_from(before) == before.parts_from(after) == 48


def test_blocks_that_were_reorganised_away_are_not_found_by_hash() -> None:
    chain = Chain(start_height=50, block_time=None)
    orphan = chain.view(0.0).block(50)
    assert orphan is not None
    assert chain.view(0.0).block_by_hash(orphan.hash) == orphan
    chain.reorg(1, 0.0)
    assert chain.view(0.0).block_by_hash(orphan.hash) is None


def test_a_hash_that_is_none_of_ours_is_not_found() -> None:
    assert Chain(block_time=None).view(0.0).block_by_hash("0x" + "12" * 32) is None


def test_a_view_ends_at_its_head() -> None:
    chain = Chain(start_height=50, block_time=None)
    view = chain.view(0.0, lag=6)
    assert view.head == 44
    assert view.block(44) is not None
    assert view.block(45) is None
    assert view.block(-1) is None


def test_another_chain_id_is_another_chain() -> None:
    chain = Chain(start_height=50, block_time=None)
    mine, other = chain.view(0.0), chain.view(0.0, chain_id=5)
    assert mine.block(7) != other.block(7)
    assert mine.parts_from(other) == 0


@pytest.mark.parametrize("depth", [0, -1, 51])
def test_a_reorg_cannot_be_deeper_than_the_chain(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        Chain(start_height=50, block_time=None).reorg(depth, 0.0)


def test_forks_that_a_deeper_one_buries_are_forgotten() -> None:
    branch = Branch().fork(10, "a").fork(20, "b").fork(15, "c")
    assert branch == Branch((0, 10, 15), ("genesis", "a", "c"))
    assert [branch.salt_at(n) for n in (9, 10, 14, 15, 99)] == ["genesis", "a", "a", "c", "c"]


def test_the_memory_of_forks_is_bounded() -> None:
    branch = Branch()
    for start in range(1, 5000):
        branch = branch.fork(start, f"fork {start}")
    assert len(branch.starts) == len(branch.salts) <= 4096
    assert branch.starts[0] == 0
    assert branch.salt_at(4999) == "fork 4999"


def test_a_transaction_is_accepted_once_and_the_memory_of_it_is_bounded() -> None:
    chain = Chain()
    assert chain.accept_transaction("0xAB") is not None
    assert chain.accept_transaction("0xab") is None
    for i in range(5000):
        chain.accept_transaction(f"0x{i:08x}")
    assert chain.accept_transaction("0xab") is not None

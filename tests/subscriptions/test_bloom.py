from __future__ import annotations

from lasso_trio.subscriptions.bloom import MOST_CHOICES, BloomFilter, bits_of
from lasso_trio.subscriptions.wanted import LogFilter

A, B, T, U = "0x" + "0a" * 20, "0x" + "0b" * 20, "0x" + "0c" * 32, "0x" + "0d" * 32
EMPTY = "0x" + "00" * 256
FULL = "0x" + "ff" * 256


def bloom(*items: str) -> str:
    bits = 0
    for item in items:
        bits |= bits_of(item)
    return f"0x{bits:0512x}"


def test_the_bits_of_an_item_are_those_of_the_yellow_paper() -> None:
    # go-ethereum's core/types/bloom9_test.go: the bloom of "testtest" has three bits
    assert bits_of("0x" + b"testtest".hex()).bit_count() == 3
    assert bits_of("0x0000000000000000000000000000000000000000").bit_count() <= 3


def test_a_block_without_a_wanted_items_bits_is_excluded() -> None:
    filter_ = BloomFilter(LogFilter((A,), (None, (T, U))))
    assert not filter_.excludes(bloom(A, U, B))
    assert not filter_.excludes(FULL)
    assert filter_.excludes(bloom(A, B))
    assert filter_.excludes(bloom(T, B))


def test_a_filter_for_everything_is_excluded_by_the_empty_bloom_alone() -> None:
    filter_ = BloomFilter(LogFilter())
    assert not filter_.excludes(bloom(A))
    assert filter_.excludes(EMPTY)


def test_a_chain_that_never_filled_a_bloom_is_not_believed() -> None:
    filter_ = BloomFilter(LogFilter((A,)))
    assert not filter_.excludes(EMPTY)
    assert filter_.excludes(bloom(B))
    assert filter_.excludes(EMPTY)


def test_a_chain_whose_bloom_denied_a_log_is_not_believed_again() -> None:
    filter_ = BloomFilter(LogFilter((A,)))
    assert filter_.excludes(bloom(B))
    filter_.distrust()
    assert not filter_.excludes(bloom(B))


def test_what_is_no_bloom_excludes_nothing() -> None:
    filter_ = BloomFilter(LogFilter((A,)))
    filter_.excludes(bloom(B))
    for text in ("", "0x00", "0x" + "zz" * 256):
        assert not filter_.excludes(text)


def test_a_long_list_is_not_looked_up() -> None:
    filter_ = BloomFilter(LogFilter(tuple(f"0x{n:040x}" for n in range(MOST_CHOICES + 1)), ((T,),)))
    assert filter_.excludes(bloom(A))
    assert not filter_.excludes(bloom(T))

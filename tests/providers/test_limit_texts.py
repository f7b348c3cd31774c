from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.catalogue import ErrorClass, Row, build, current, use
from lasso_trio.providers.learned import Kind, Learned
from lasso_trio.providers.limit_texts import read_limits
from lasso_trio.providers.number_patterns import Number

BLOCKS, RESULTS, BYTES, ADDRESSES = Kind.BLOCKS, Kind.RESULTS, Kind.BYTES, Kind.ADDRESSES


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("query exceeds max block range 100000", BLOCKS, 100_000),
        ("block range is too wide", BLOCKS, None),
        ("Block range is too large", BLOCKS, None),
        ("exceed maximum block range: 50000", BLOCKS, 50_000),
        ("eth_getLogs is limited to a 10,000 range", BLOCKS, 10_000),
        ("eth_getLogs and eth_newFilter are limited to a 10,000 blocks range", BLOCKS, 10_000),
        ("ranges over 10000 blocks are not supported on freetier", BLOCKS, 10_000),
        ("max is 1k blocks", BLOCKS, 1000),
        ("please limit the query to at most 2000 blocks", BLOCKS, 2000),
        ("maximum allowed number of requested blocks is 1024", BLOCKS, 1024),
        ("exceeds the range allowed for your plan (20000 > 10000)", BLOCKS, 10_000),
        ("range 20000 exceeds limit of 10000", BLOCKS, 10_000),
        ("query block range exceeds server limit", BLOCKS, None),
        ("You can make eth_getLogs requests with up to a 10 block range.", BLOCKS, 10),
        ("query returned more than 10000 results", RESULTS, 10_000),
        ("query exceeds max results 20000", RESULTS, 20_000),
        ("logs matched by query exceeds limit of 10000", RESULTS, 10_000),
        ("logs are limited to a 10000", RESULTS, 10_000),
        ("too many results", RESULTS, None),
        ("Exceeded max limit of 167772160", BYTES, 167_772_160),
        ("response size should not greater than 10000000 bytes", BYTES, 10_000_000),
        ("backend response too large", BYTES, None),
        ("Please specify less number of addresses.", ADDRESSES, None),
        ("maximum number of addresses is 50", ADDRESSES, 50),
        ("exceed max addresses or topics per search position", Kind.TOPICS, None),
        ("too many topics: 1200, limit 1000", Kind.TOPICS, 1000),
        ("missing block, the earliest available is 17000000", Kind.EARLIEST, 17_000_000),
        ("block 5 is not available, lowest height is 1,234", Kind.EARLIEST, 1234),
    ],
)
def test_what_vendors_say_is_understood(text: str, kind: Kind, value: int | None) -> None:
    assert read_limits(text) == (Learned(kind, value),)


@pytest.mark.parametrize(
    ("text", "learned"),
    [
        (
            "query returned more than 10000 results. Try with this block range [0x10, 0x1F].",
            (Learned(Kind.SUGGESTED, 16), Learned(RESULTS, 10_000)),
        ),
        (
            "query exceeds max results 20000, retry with the range 100-199",
            (Learned(Kind.SUGGESTED, 100), Learned(RESULTS, 20_000)),
        ),
        (
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
            "the response size, or you can request any block range with a cap of 10K logs in the response. Based on "
            "your "
            "parameters and the response size limit, this block range should work: [0x0, 0x3e7]",
            (Learned(Kind.SUGGESTED, 1000), Learned(RESULTS, 10_000)),
        ),
        ("query returned more than 10 results [0x9, 0x1]", (Learned(RESULTS, 10),)),
    ],
)
def test_a_range_that_would_work_is_taken_from_the_text(text: str, learned: tuple[Learned, ...]) -> None:
    assert read_limits(text) == learned


@pytest.mark.parametrize(
    "text",
    ["", "execution reverted", "gas limit exceeded", "rate limit exceeded", "header not found", "missing trie node",
     "exceeded its compute units per second", "invalid argument 0: hex string without 0x prefix"],
)  # fmt: skip
def test_other_errors_teach_nothing(text: str) -> None:
    assert read_limits(text) == ()


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    read_limits(text)
    read_limits(f"block range {text} exceeds limit of {text}")


def test_a_code_says_what_a_text_that_names_nothing_is_about() -> None:
    assert read_limits("no", "size") == (Learned(BYTES),)
    assert read_limits("no, 5 blocks", "range") == (Learned(BLOCKS, 5),)
    assert read_limits("no", "archive") == ()
    assert read_limits("no", "head") == ()
    assert read_limits("too many results", "range") == (Learned(RESULTS),)


def test_a_proposal_that_cannot_be_read_is_about_the_range() -> None:
    assert read_limits("try with this block range, please") == (Learned(BLOCKS),)


def test_words_and_numbers_are_those_of_the_catalogue_in_force() -> None:
    shipped = current()
    row = Row("mine", ErrorClass.SPLIT, ("us",), learning="results", text=("woe",))
    rows = {**shipped.rows, "text": (row,)}
    before = use(build(rows, (Number("results", ("beyond #",), ("us",)),)))
    try:
        assert read_limits("Woe beyond 7") == (Learned(RESULTS, 7),)
        assert read_limits("block range is too wide") == ()
    finally:
        use(before)

from __future__ import annotations

from itertools import product

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing.log_filter import LogQuery, items
from lasso_trio.routing.split import (
    SHARED_SEAM_FROM,
    Cap,
    Log,
    Part,
    SeamConflict,
    cut,
    fewest_parts,
    halve,
    halve_topics,
    merge,
)

NAMES = tuple(b'"0x%d"' % n for n in range(9))
queries = st.builds(
    lambda first, blocks, names: LogQuery(first, first + blocks - 1, NAMES[:names]),
    st.integers(0, 1000), st.integers(1, 400), st.integers(0, 9),
)  # fmt: skip
caps = st.builds(Cap, st.none() | st.integers(1, 450), st.none() | st.integers(1, 10))


def log(block: int, index: int = 0, hash_: str = "") -> Log:
    return Log(block, index, hash_ or f"h{block}", b'{"b":%d,"i":%d}' % (block, index))


def covered(parts: list[LogQuery]) -> set[tuple[int, bytes]]:
    return {(n, name) for p in parts for n in range(p.first, p.last + 1) for name in p.addresses or (b"",)}


@given(queries, caps)
def test_parts_are_taken_and_leave_nothing_out(query: LogQuery, cap: Cap) -> None:
    parts = cut(query, cap)
    assert all(cap.takes(part) for part in parts)
    assert covered(parts) == covered([query])
    assert (parts == [query]) == cap.takes(query)


@given(queries)
def test_halves_are_smaller_and_leave_nothing_out(query: LogQuery) -> None:
    halves = halve(query)
    assert covered(halves) == covered([query])
    if query.blocks > 1 or len(query.addresses) > 1:
        assert len(halves) == 2
        assert all((half.blocks, len(half.addresses)) < (query.blocks, len(query.addresses)) for half in halves)
    else:
        assert halves == [query]


def test_the_last_to_be_halved_are_the_topics_where_there_are_most_to_choose_from() -> None:
    query = LogQuery(5, 5, topics=(b'["0xA","0xB","0xC"]', b"null"))
    assert [half.topics for half in halve(query)] == [(b'["0xA","0xB"]', b"null"), (b'["0xC"]', b"null")]
    query = LogQuery(5, 5, topics=(b'["0xA","0xB"]', b'["0xC","0xD","0xE"]'))
    assert [half.topics[1] for half in halve(query)] == [b'["0xC","0xD"]', b'["0xE"]']
    assert halve_topics(LogQuery(0, 99, topics=(b'["0xA",null]',))) == [LogQuery(0, 99, topics=(b'["0xA",null]',))]


@given(queries, st.lists(st.integers(1, 5), max_size=3), caps, st.integers(1, 4))
def test_parts_by_topics_are_taken_and_cover_every_combination(
    query: LogQuery, widths: list[int], cap: Cap, most: int
) -> None:
    topics = tuple(b"[%b]" % b",".join(NAMES[:width]) for width in widths)
    query, cap = attrs.evolve(query, topics=topics), attrs.evolve(cap, topics=most)
    parts = cut(query, cap)
    assert all(cap.takes(part) for part in parts)
    assert covered(parts) == covered([query])
    combined = [each for part in parts if part.first == query.first for each in combinations(part)]
    assert set(combined) == set(combinations(query))
    assert len(combined) == len(set(combined))


def combinations(query: LogQuery) -> list[tuple[bytes, ...]]:
    """What logs it means: an address and topics."""
    return list(product(query.addresses or (b"",), *(items(topic) for topic in query.topics)))


def test_long_parts_share_a_block_and_short_ones_do_not() -> None:
    long, short = Cap(SHARED_SEAM_FROM), Cap(SHARED_SEAM_FROM - 1)
    assert [(part.first, part.last) for part in cut(LogQuery(0, 62), long)] == [(0, 31), (31, 62)]
    assert [(part.first, part.last) for part in cut(LogQuery(0, 61), short)] == [(0, 30), (31, 61)]


def test_the_cap_with_the_fewest_parts_is_chosen() -> None:
    query = LogQuery(0, 999, NAMES)
    assert fewest_parts(query, [Cap(100), Cap(500, 3), Cap(500)]) == Cap(500)
    assert fewest_parts(query, []) is None


@given(st.sets(st.tuples(st.integers(0, 200), st.integers(0, 3))), st.integers(1, 100))
def test_merged_parts_are_the_whole_in_order(places: set[tuple[int, int]], most: int) -> None:
    logs = [log(*place) for place in sorted(places)]
    parts = [
        Part(query, tuple(entry for entry in logs if query.first <= entry.block <= query.last))
        for query in cut(LogQuery(0, 200), Cap(most))
    ]
    assert merge(parts[::-1]) == logs


def test_logs_of_one_block_must_share_its_hash() -> None:
    query = LogQuery(0, 9, NAMES[:2])
    one, two = cut(query, Cap(addresses=1))
    with pytest.raises(SeamConflict) as conflict:
        merge([Part(one, (log(3, 0, "x"),)), Part(two, (log(3, 1, "y"),))])
    assert conflict.value.block == 3


def test_a_seam_that_only_one_side_knows_is_a_conflict() -> None:
    left, right = LogQuery(0, 5), LogQuery(5, 9)
    with pytest.raises(SeamConflict):
        merge([Part(left, (log(5),)), Part(right, ())])
    assert merge([Part(left, (log(5),)), Part(right, (log(5), log(6)))]) == [log(5), log(6)]


def test_a_single_block_is_halved_by_address() -> None:
    halves = halve(LogQuery(5, 5, NAMES[:3]))
    assert [half.addresses for half in halves] == [NAMES[:2], NAMES[2:3]]


def test_logs_of_one_block_are_kept_apart_by_their_index() -> None:
    assert merge([Part(LogQuery(3, 3), (log(3, 1), log(3, 0)))]) == [log(3, 0), log(3, 1)]

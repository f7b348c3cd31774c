from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.branch import SILENCE_S, WINDOW, Branch, Header


def header(number: int, fork: str = "a", parent_fork: str | None = None) -> Header:
    return Header(number, f"{fork}{number}", f"{parent_fork or fork}{number - 1}")


def heard(*headers: Header) -> Branch:
    branch = Branch()
    for each in headers:
        branch.hear(each, 0.0)
    return branch


def test_nothing_is_known_before_a_header_was_heard() -> None:
    branch = Branch()
    assert branch.hash_of(1) is None
    assert not branch.settled
    assert not branch.followed(0.0, 12.0)


def test_headers_on_top_of_each_other_are_known() -> None:
    branch = heard(header(1), header(2), header(3), header(2))
    assert [branch.hash_of(number) for number in range(5)] == [None, "a1", "a2", "a3", None]
    assert branch.tip == header(3)
    assert branch.reorgs == 0


def test_the_oldest_are_forgotten() -> None:
    branch = heard(*(header(number) for number in range(1, WINDOW + 3)))
    assert branch.hash_of(2) is None
    assert branch.hash_of(3) == "a3"
    assert branch.take_orphans() == []


def test_a_replaced_block_is_orphaned_with_all_above_it() -> None:
    branch = heard(header(1), header(2), header(3), header(2, "b", "a"))
    assert branch.take_orphans() == ["a2", "a3"]
    assert branch.take_orphans() == []
    assert branch.reorgs == 1


def test_after_a_reorganisation_nothing_is_told_until_the_chain_is_higher_than_before() -> None:
    branch = heard(header(1), header(2), header(3), header(2, "b", "a"), header(3, "b"))
    assert branch.hash_of(1) is None
    branch.hear(header(4, "b"), 1.0)
    assert [branch.hash_of(number) for number in (1, 2, 3, 4)] == ["a1", "b2", "b3", "b4"]


def test_a_hole_ends_all_knowledge() -> None:
    branch = heard(header(1), header(2), header(4))
    assert branch.take_orphans() == ["a1", "a2"]
    assert [branch.hash_of(number) for number in (1, 2, 4)] == [None, None, "a4"]


def test_a_child_of_an_unknown_block_ends_it_too() -> None:
    branch = heard(header(1), header(2), header(3), header(4, "b"), header(5, "b"))
    assert [branch.hash_of(number) for number in (1, 2, 3, 4, 5)] == [None, None, None, "b4", "b5"]


def test_who_is_far_behind_is_not_heard_while_others_are() -> None:
    branch = heard(header(1000))
    branch.hear(header(1000 - WINDOW, "b"), SILENCE_S)
    assert branch.tip == header(1000)
    branch.hear(header(1000 - WINDOW, "b"), SILENCE_S + 1)
    assert branch.tip == header(1000 - WINDOW, "b")
    assert branch.settled


def test_a_header_from_the_far_future_does_not_stop_it_for_long() -> None:
    branch = heard(header(5), header(1_000_000))
    branch.hear(header(6), SILENCE_S + 1)
    assert branch.hash_of(6) == "a6"
    branch.hear(header(1_000_000), SILENCE_S + 2)
    branch.lose()
    branch.hear(header(7), SILENCE_S + 2)
    assert branch.hash_of(7) == "a7"


def test_it_is_followed_while_new_headers_come_in() -> None:
    branch = heard(header(1), header(2))
    assert branch.followed(SILENCE_S, 1.0)
    assert not branch.followed(SILENCE_S + 1, 1.0)
    assert branch.followed(SILENCE_S + 1, SILENCE_S)


def test_a_header_known_before_is_no_sign_of_life() -> None:
    branch = heard(header(1), header(2))
    branch.hear(header(1), 20.0)
    assert not branch.followed(SILENCE_S + 1, 1.0)
    branch.hear(header(2), 20.0)
    assert branch.followed(SILENCE_S + 1, 1.0)


def test_when_nobody_tells_any_more_nothing_is_known() -> None:
    branch = heard(header(1), header(2))
    branch.lose()
    assert branch.hash_of(2) is None
    assert not branch.followed(0.0, 12.0)
    assert branch.take_orphans() == ["a1", "a2"]


def test_who_comes_back_is_believed_when_the_chain_is_higher_than_it_was() -> None:
    branch = heard(header(1), header(2))
    branch.lose()
    branch.hear(header(2, "b"), 0.0)
    assert branch.hash_of(2) is None
    branch.hear(header(3, "b"), 0.0)
    assert branch.hash_of(2) == "b2"


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.sampled_from("abc")), max_size=60))
def test_whatever_is_told_what_is_known_is_one_chain(told: list[tuple[int, str, str]]) -> None:
    branch, parents = Branch(), {}
    for number, fork, parent_fork in told:
        each = header(number, fork, parent_fork)
        branch.hear(each, 0.0)
        parents[each.hash, number] = each.parent
        known = {n: hash_ for n in range(32) if (hash_ := branch._hashes.get(n)) is not None}
        assert list(known) == list(range(min(known), max(known) + 1))
        assert branch.tip is not None
        assert max(known) == branch.tip.number

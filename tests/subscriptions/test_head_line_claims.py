"""Heads that nobody can connect: when they are taken for a hole, and when for a rumour."""

from __future__ import annotations

from lasso_trio.subscriptions.head_line import CLAIM_S, SOURCES, Gap
from lasso_trio.subscriptions.header import Header
from tests.subscriptions.forks import Forks, header
from tests.subscriptions.test_head_line import Reader, reader


def claim(number: int = 9000) -> Header:
    return header(number, "0x" + "aa" * 32)


def begun(forks: Forks) -> Reader:
    made = reader()
    made.tell([forks.tip], "a")
    return made


def test_a_claim_that_one_alone_made_is_dropped_soon_after_the_line_went_on() -> None:
    forks = Forks()
    r = begun(forks)
    r.tell([claim()], "liar", now=1.0)
    assert r.line.due(30.0) == 31.0
    r.tell(forks.grow(1), "a", now=1.5)
    assert r.line.due(30.0) == 1.0 + CLAIM_S
    assert r.line.give_up(1.0 + CLAIM_S, 30.0, absent=8900) == []
    assert (r.line.is_waiting, r.line.refuted, r.gaps) == (False, ["liar"], [])


def test_a_claim_that_two_made_has_its_time() -> None:
    forks = Forks()
    r = begun(forks)
    far = claim()
    r.tell([far], "b", now=1.0)
    r.tell([far], "c", now=1.0)
    r.tell(forks.grow(1), "a", now=1.5)
    assert r.line.due(30.0) == 31.0
    assert r.line.give_up(30.9, 30.0) == []
    assert r.line.is_waiting


def test_what_was_behind_by_the_time_it_was_dropped_is_held_against_nobody() -> None:
    forks = Forks()
    r = begun(forks)
    r.tell([claim(1002)], "b", now=1.0)  # another branch, perhaps
    r.tell(forks.grow(3), "a", now=1.5)
    r.take(r.line.give_up(99.0, 30.0, absent=1001))
    assert (r.line.is_waiting, r.line.refuted) == (False, [])


def test_what_nobody_could_be_asked_about_is_held_against_nobody() -> None:
    forks = Forks()
    r = begun(forks)
    r.tell([claim()], "a", now=1.0)
    r.tell(forks.grow(1), "late", now=1.5)
    r.take(r.line.give_up(99.0, 30.0))
    assert (r.line.is_waiting, r.line.refuted) == (False, [])


def test_a_lone_claim_above_what_anybody_has_is_no_hole_when_its_time_is_over() -> None:
    r = begun(Forks())
    r.tell([claim(9000)], "liar")
    assert r.line.give_up(30.0, 30.0, absent=8900) == []
    assert (r.line.is_waiting, r.line.refuted, r.gaps) == (False, ["liar"], [])


def test_where_nobody_could_be_asked_it_is_taken_for_a_hole() -> None:
    r = begun(Forks())
    r.tell([claim(9000)], "a")
    r.take(r.line.give_up(30.0, 30.0))
    assert r.gaps == [Gap(1001, 8999, 1000, "backfill_failed")]


def test_a_branch_that_grows_is_believed_though_one_alone_has_it() -> None:
    forks = Forks()
    r = begun(forks)
    forks.grow(50)
    r.tell([forks.tip, *forks.grow(1)], "a")
    r.take(r.line.give_up(30.0, 30.0, absent=1001))
    assert r.gaps == [Gap(1001, 1049, 1000, "backfill_failed")]
    assert r.seen[-1] is forks.tip


def test_the_list_of_the_refuted_does_not_grow_when_nobody_reads_it() -> None:
    forks = Forks()
    r = begun(forks)
    for number in range(2 * SOURCES):
        r.tell([claim(9000)], f"liar {number}")
        r.line.give_up(99.0, 30.0, absent=8000)
    assert len(r.line.refuted) == SOURCES

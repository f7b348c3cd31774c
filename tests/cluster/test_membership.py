"""Who belongs to the cluster, and what is wrong with it."""

from __future__ import annotations

import pytest

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import REMEMBERED_S, Peer, Sign, State
from lasso_trio.cluster.membership import MOST_STRANGERS, REASONS, STRANGER_S, Membership
from tests.cluster.shares import snapshot

A, B, C = (Address(f"127.0.0.{n}", 4000) for n in (1, 2, 3))


@pytest.fixture
def three() -> Membership:
    """This node at A, and two that answer."""
    made = Membership("us-1", "u1")
    assert made.listed([C, B, A], 0.0) == [A, B, C]
    made.answered(made.peers[A], "us-1", "u1", snapshot(), 1.0)
    made.answered(made.peers[B], "eu-1", "u2", snapshot(calls=2), 1.0)
    made.answered(made.peers[C], "ap-1", "u3", snapshot(calls=3), 1.0)
    return made


def kill(cluster: Membership, address: Address, now: float = 2.0) -> Peer:
    peer = cluster.peers[address]
    for _ in range(3):
        cluster.failed(peer, "refused", Sign.GONE, now)
    return peer


def kinds(cluster: Membership) -> list[str]:
    return [trouble.kind for trouble in cluster.troubles()]


def test_a_node_knows_itself_by_its_own_answer_and_asks_itself_no_more(three: Membership) -> None:
    assert three.own == {A}
    assert A not in three.peers
    assert three.listed([A, B, C], 5.0) == []
    coverage = three.coverage()
    assert (coverage.total, coverage.connected, coverage.responding, coverage.identified) == (3, 3, 3, 3)
    assert kinds(three) == []


def test_an_address_that_dns_takes_away_and_gives_again_may_be_somebody_elses(three: Membership) -> None:
    three.listed([B, C], 5.0)
    assert three.own == set()
    assert three.listed([A, B, C], 6.0) == [A]


def test_the_dead_are_counted_and_their_figures_are_not(three: Membership) -> None:
    before = three.generation
    kill(three, C)
    coverage = three.coverage()
    assert (coverage.total, coverage.connected, coverage.responding) == (3, 2, 2)
    assert coverage.disconnected == ("ap-1",)
    assert [peer.node_id for peer, _ in three.live()] == ["eu-1"]
    assert three.generation > before
    assert C not in three.snapshots


def test_who_comes_back_counts_again(three: Membership) -> None:
    peer = kill(three, C)
    three.answered(peer, "ap-1", "u4", snapshot(calls=1), 9.0)
    assert three.coverage().responding == 3
    assert three.snapshots[C].chains[0].calls == 1


def test_a_dead_node_that_is_back_at_another_address_is_one_node(three: Membership) -> None:
    kill(three, C)
    there = Address("127.0.0.9", 4000)
    three.listed([A, B, there], 5.0)
    three.answered(three.peers[there], "ap-1", "u4", snapshot(), 6.0)
    assert three.coverage().total == 3
    assert C not in three.peers


def test_dns_that_forgets_or_fails_takes_nobody_away(three: Membership) -> None:
    three.listed([A], 5.0)
    assert three.coverage().responding == 3
    assert not three.peers[B].listed
    assert three.dns_failed("lasso.internal", "no answer in time", 6.0)
    assert not three.dns_failed("lasso.internal", "no answer in time", 7.0)
    assert three.dns_failed("lasso.internal", "there is no such name", 8.0)
    assert three.dns is not None
    assert three.dns.since == 6.0
    assert (kinds(three), three.dns_at) == (["dns"], 5.0)
    three.listed([A, B, C], 9.0)
    assert kinds(three) == []


def test_the_dead_are_forgotten_after_a_day(three: Membership) -> None:
    peer = kill(three, C, 2.0)
    three.listed([A, B], 3.0)
    assert three.sweep(REMEMBERED_S) == []
    assert three.sweep(2.0 + REMEMBERED_S) == [peer]
    assert three.coverage().total == 2


def test_an_answer_that_comes_after_it_was_forgotten_changes_nothing(three: Membership) -> None:
    peer = three.peers[C]
    three.forget(peer)
    three.answered(peer, "ap-1", "u3", snapshot(), 9.0)
    assert C not in three.snapshots


def test_an_older_snapshot_does_not_replace_a_newer_one_of_the_same_life(three: Membership) -> None:
    peer = three.peers[B]
    three.answered(peer, "eu-1", "u2", snapshot(calls=9, sequence=5), 2.0)
    three.answered(peer, "eu-1", "u2", snapshot(calls=8, sequence=4), 3.0)
    assert three.snapshots[B].sequence == 5
    three.answered(peer, "eu-1", "u9", snapshot(calls=1, sequence=1), 4.0)
    assert three.snapshots[B].sequence == 1


def test_one_node_with_two_addresses_is_counted_once_and_seen_at_its_best(three: Membership) -> None:
    six = Address("::2", 4000)
    three.listed([A, B, C, six], 5.0)
    three.answered(three.peers[six], "eu-1", "u2", snapshot(), 6.0)
    assert three.coverage().total == 3
    assert kinds(three) == []
    kill(three, B)
    assert three.coverage().responding == 3
    assert len(three.live()) == 2


def test_two_lives_under_one_id_are_reported_also_when_one_is_this_node(three: Membership) -> None:
    three.answered(three.peers[C], "eu-1", "u3", snapshot(), 5.0)
    (trouble,) = three.troubles()
    assert (trouble.kind, trouble.about) == ("duplicate_id", "eu-1")
    assert str(B) in trouble.detail
    assert str(C) in trouble.detail
    three.answered(three.peers[C], "us-1", "u3", snapshot(), 6.0)
    (trouble,) = three.troubles()
    assert "this node" in trouble.detail
    kill(three, C)
    assert kinds(three) == []


@pytest.mark.parametrize("reason", REASONS)
def test_what_an_operator_must_mend_is_a_trouble(three: Membership, reason: str) -> None:
    three.failed(three.peers[C], reason, Sign.THERE, 5.0)
    (trouble,) = three.troubles()
    assert (trouble.kind, trouble.about) == (reason, "ap-1")
    assert three.peers[C].state is State.RESPONDING


def test_an_outage_is_no_trouble_of_configuration(three: Membership) -> None:
    kill(three, C)
    assert kinds(three) == []


def test_strangers_are_reported_for_a_while_and_only_so_many() -> None:
    alone = Membership("us-1", "u1")
    alone.listed([Address("127.0.0.9", 1), *(Address(f"10.0.0.{n}", 1) for n in range(MOST_STRANGERS))], 0.0)
    assert alone.refused("secret", "127.0.0.9", "why", 1.0)
    assert not alone.refused("secret", "127.0.0.9", "why", 2.0)
    assert alone.refused("clock", "127.0.0.9", "why", 3.0)
    for n in range(MOST_STRANGERS):
        alone.refused("secret", f"10.0.0.{n}", "why", 4.0)
    assert "127.0.0.9" not in alone.strangers
    assert len(alone.troubles()) == MOST_STRANGERS
    assert not alone.refused("secret", "10.1.0.0", "why", 4.0)  # a crowd does not fill the log
    alone.sweep(4.0 + STRANGER_S)
    assert alone.troubles() == []


def test_a_stranger_that_dns_does_not_name_is_no_trouble(three: Membership) -> None:
    assert three.refused("secret", "192.0.2.7", "why", 2.0)  # it is told, once
    assert kinds(three) == []
    three.refused("secret", A.host, "why", 2.0)
    assert kinds(three) == ["secret"]


@pytest.mark.parametrize("sign", [Sign.THERE, Sign.SILENT])
def test_a_node_that_moved_leaves_nothing_behind_whatever_answers_at_its_old_address(
    three: Membership, sign: Sign
) -> None:
    new = Address("127.0.0.7", 4000)
    three.listed([A, B, new], 10.0)
    for n in range(3):
        three.failed(three.peers[C], "HTTP 404", sign, 11.0 + n)
    three.answered(three.peers[new], "ap-1", "u9", snapshot(), 15.0)
    assert C not in three.peers
    assert three.coverage().total == 3
    assert kinds(three) == []


def test_an_address_that_dns_gave_up_is_forgotten_after_a_day_though_something_answers_there(
    three: Membership,
) -> None:
    three.listed([A, B], 10.0)
    for n in range(5):
        three.failed(three.peers[C], "HTTP 404", Sign.THERE, 11.0 + n)
    assert three.sweep(REMEMBERED_S) == []
    assert [peer.node_id for peer in three.sweep(REMEMBERED_S + 1.0)] == ["ap-1"]


def test_a_node_of_two_addresses_that_begins_anew_is_one_all_the_time(three: Membership) -> None:
    six = Address("::5", 4000)
    three.listed([A, B, C, six], 5.0)
    three.answered(three.peers[six], "eu-1", "u2", snapshot(), 6.0)
    three.answered(three.peers[six], "eu-1", "u8", snapshot(calls=9), 20.0)
    assert three.coverage().total == 3
    assert kinds(three) == []
    assert {told.sequence for peer, told in three.live() if peer.node_id == "eu-1"}
    assert len(three.live()) == 2


def test_a_silent_node_is_listed_by_its_address_while_its_id_is_not_known() -> None:
    alone = Membership("us-1", "u1")
    alone.listed([B], 0.0)
    for _ in range(3):
        alone.failed(alone.peers[B], "deadline", Sign.SILENT, 1.0)
    coverage = alone.coverage()
    assert (coverage.unresponsive, coverage.identified, coverage.total) == (("127.0.0.2:4000",), 1, 2)

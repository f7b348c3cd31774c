"""What one process of a node leaves to the next that speaks for it."""

from __future__ import annotations

import msgspec

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.handover import Left, inherit, left
from lasso_trio.cluster.lifecycle import REMEMBERED_S, Sign, State
from lasso_trio.cluster.membership import Membership
from tests.cluster.shares import snapshot

A, B, C, D = (Address(f"127.0.0.{n}", 4000) for n in (1, 2, 3, 4))


def known() -> Membership:
    """B responds, C died and DNS dropped it, D was never heard of; this node is at A."""
    made = Membership("us-1", "u1")
    made.listed([A, B, C, D], 100.0)
    made.answered(made.peers[A], "us-1", "u1", snapshot(), 101.0)
    made.answered(made.peers[B], "eu-1", "u2", snapshot(), 102.0)
    made.answered(made.peers[C], "ap-1", "u3", snapshot(), 103.0)
    made.listed([A, B, D], 110.0)
    for _ in range(3):
        made.failed(made.peers[C], "refused", Sign.GONE, 111.0)
    return made


def sent(told: list[Left]) -> list[Left]:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=list[Left])


def test_an_heir_knows_the_dead_and_where_the_others_are() -> None:
    heir = Membership("us-1", "u9")
    assert inherit(heir, sent(left(known(), 120.0)), 5.0, 6.0) == {B}
    coverage = heir.coverage()
    assert (coverage.total, coverage.responding, coverage.disconnected) == (4, 1, ("ap-1",))
    assert {peer.address: peer.state for peer in heir.peers.values()} == {
        B: State.CONNECTED,
        C: State.DISCONNECTED,
        D: State.DISCOVERING,
    }
    assert heir.live() == []


def test_ages_go_on_from_when_they_were_told() -> None:
    heir = Membership("us-1", "u9")
    inherit(heir, left(known(), 120.0), 5.0, 6.0)
    assert heir.peers[C].since == 5.0 - 9.0
    assert heir.sweep(5.0 - 17.0 + REMEMBERED_S - 1.0) == []
    assert [peer.node_id for peer in heir.sweep(5.0 - 17.0 + REMEMBERED_S)] == ["ap-1"]


def test_who_responded_is_not_forgotten_for_having_been_no_news() -> None:
    before, heir = known(), Membership("us-1", "u9")
    before.listed([A, D], 120.0)  # B answers on, though DNS has dropped it
    inherit(heir, left(before, 120.0), 5.0, 5.0 + 2 * REMEMBERED_S)
    heir.sweep(5.0 + 2 * REMEMBERED_S)
    assert B in heir.peers


def test_what_the_heir_knows_by_itself_stays() -> None:
    heir = Membership("us-1", "u9")
    heir.listed([B, D], 1.0)
    heir.answered(heir.peers[B], "eu-1", "u2", snapshot(), 2.0)
    heir.answered(heir.peers[D], "us-1", "u9", snapshot(), 2.0)
    assert inherit(heir, left(known(), 120.0), 5.0, 6.0) == set()
    assert heir.peers[B].live
    assert D not in heir.peers


def test_an_age_alone_is_no_news() -> None:
    (early, *_), (late, *_) = left(known(), 120.0), left(known(), 130.0)
    assert early != late
    assert early.place == late.place

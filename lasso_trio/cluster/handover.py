"""Who the other nodes are, as one process of a node leaves it to the next that speaks for it.

Figures are not handed over: whoever responded is asked at once, and counts again with its answer. What would be lost is
who is dead, who is at which address while DNS fails, and since when. Pure; processes share no clock, so times are ages.
"""

from __future__ import annotations

from math import inf

import msgspec

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import Peer, State
from lasso_trio.cluster.membership import Membership


class Left(msgspec.Struct, array_like=True, frozen=True):
    """One peer. Ages in seconds, of when it was told."""

    host: str
    port: int
    state: str
    listed: bool
    node_id: str | None
    uid: str | None
    failures: int
    reason: str
    since_age_s: float
    answered_age_s: float | None

    @property
    def place(self) -> tuple[object, ...]:
        """All but the ages, which change all the time and say nothing new."""
        return (self.host, self.port, self.state, self.listed, self.node_id, self.uid, self.failures, self.reason)


def left(membership: Membership, now: float) -> list[Left]:
    return [_left(peer, now) for peer in membership.peers.values()]


def _left(peer: Peer, now: float) -> Left:
    answered_age_s = None if peer.answered_at == -inf else now - peer.answered_at
    return Left(
        peer.address.host, peer.address.port, peer.state.value, peer.listed, peer.node_id, peer.uid, peer.failures,
        peer.reason, now - peer.since, answered_age_s,
    )  # fmt: skip


def inherit(membership: Membership, all_left: list[Left], told_at: float, now: float) -> set[Address]:
    """Have `membership` begin with who was left, told at `told_at`. Returned: who responded, and is to be asked again.

    Without figures nobody responds: they are connected until they have answered. That they did is as fresh as can be:
    each answer is no news that would have been told.
    """
    waited_for: set[Address] = set()
    for one in all_left:
        address, state = Address(one.host, one.port), State(one.state)
        if address in membership.peers or address in membership.own:
            continue
        answered_at = -inf if one.answered_age_s is None else told_at - one.answered_age_s
        if state is State.RESPONDING:
            waited_for.add(address)
            state, answered_at = State.CONNECTED, now
        membership.peers[address] = Peer(
            address, told_at - one.since_age_s, state, one.listed, one.node_id, one.uid, one.failures, one.reason,
            answered_at,
        )  # fmt: skip
    membership.generation += 1
    return waited_for

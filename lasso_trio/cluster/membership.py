"""Who belongs to the cluster, as this node sees it: DNS's word, what exchanges showed, and what is wrong. Pure.

Owns the peers by address, their last snapshots, and which addresses turned out to be this node itself: a node asks all
that DNS names, and knows itself by the answer. One node may have several addresses (IPv4 and IPv6); it is counted once.
DNS only ever adds: who answers stays although DNS fails or forgets it, who is dead stays in the picture for a day, or
until a node with its id is there again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import Peer, Sign, State
from lasso_trio.cluster.snapshot import Snapshot

_BEST_FIRST: Final = (
    State.RESPONDING, State.CONNECTED, State.UNRESPONSIVE, State.DISCOVERING, State.DISCONNECTED
)  # fmt: skip
MOST_STRANGERS: Final = 16
STRANGER_S: Final = 300.0


@attrs.frozen
class Trouble:
    """`kind`: dns, secret, clock, replay, cluster, version, duplicate_id. `since`: None where that is not kept."""

    kind: str
    about: str
    detail: str
    since: float | None = None


@attrs.frozen
class Coverage:
    """Nodes, this one included. `connected`: something answers there; `responding`: their figures count."""

    total: int
    connected: int
    responding: int
    identified: int
    unresponsive: tuple[str, ...]
    disconnected: tuple[str, ...]


@attrs.define(eq=False)
class Membership:
    node_id: str
    uid: str
    peers: dict[Address, Peer] = attrs.field(factory=dict)
    snapshots: dict[Address, Snapshot] = attrs.field(factory=dict)
    own: set[Address] = attrs.field(factory=set)
    dns: Trouble | None = None
    dns_at: float | None = None
    """When DNS last answered."""
    strangers: dict[str, Trouble] = attrs.field(factory=dict)
    """Who asked and was refused, by where the question came from."""
    generation: int = 0
    """Moves whenever somebody joins, leaves, or changes its state."""
    exchanges: int = 0
    failed_exchanges: int = 0
    """Questions to others since the start, by how they ended."""

    # -- what happened ------------------------------------------------------------------------------------------------

    def listed(self, addresses: Iterable[Address], now: float) -> list[Address]:
        """DNS names `addresses`. Those that are new are peers from now on; they are returned."""
        named = set(addresses)
        self.dns, self.dns_at = None, now
        self.own &= named
        for peer in self.peers.values():
            peer.listed = peer.address in named
        new = sorted(named - self.peers.keys() - self.own)
        for address in new:
            self.peers[address] = Peer(address, now)
        self.generation += bool(new)
        return new

    def dns_failed(self, name: str, reason: str, now: float) -> bool:
        """Whether that is news."""
        if self.dns is not None and self.dns.detail == reason:
            return False
        self.dns = Trouble("dns", name, reason, self.dns.since if self.dns else now)
        return True

    def answered(self, peer: Peer, node_id: str, uid: str, snapshot: Snapshot, now: float) -> None:
        """An exchange with `peer` came to its end; unless it was forgotten meanwhile."""
        if self.peers.get(peer.address) is not peer:
            return
        if uid == self.uid:
            self.own.add(peer.address)
            self.forget(peer)
            return
        self.exchanges += 1
        last = self.snapshots.get(peer.address)
        if last is None or uid != peer.uid or snapshot.sequence >= last.sequence:
            self.snapshots[peer.address] = snapshot
        self.generation += not peer.live or uid != peer.uid
        self._begin_anew(peer, node_id, uid)
        peer.answered(node_id, uid, now)
        for old in [other for other in self.peers.values() if other.node_id == node_id and other is not peer]:
            if old.state is State.DISCONNECTED or not (old.live or old.listed):  # it has come back, elsewhere
                self.forget(old)

    def _begin_anew(self, peer: Peer, node_id: str, uid: str) -> None:
        """A node tells of a new life: at its other addresses it is the same one, until they say otherwise."""
        if peer.uid is None or peer.uid == uid or peer.node_id != node_id:
            return
        for other in self.peers.values():
            if other.uid == peer.uid and other is not peer:
                other.uid = uid
                if other.live:
                    self.snapshots[other.address] = self.snapshots[peer.address]

    def failed(self, peer: Peer, reason: str, sign: Sign, now: float) -> None:
        self.failed_exchanges += 1
        before = peer.state
        peer.failed(reason, sign, now)
        self.generation += peer.state is not before
        if peer.state is State.DISCONNECTED:
            self.snapshots.pop(peer.address, None)

    def refused(self, kind: str, origin: str, detail: str, now: float) -> bool:
        """Somebody at `origin` asked and was not answered. Whether that is news: a crowd is not, it may be anybody."""
        known = self.strangers.pop(origin, None)
        crowded = known is None and len(self.strangers) >= MOST_STRANGERS
        if crowded:
            del self.strangers[next(iter(self.strangers))]
        self.strangers[origin] = Trouble(kind, origin, detail, now)
        return not crowded and (known is None or known.kind != kind)

    def sweep(self, now: float) -> list[Peer]:
        """Forget who may be forgotten; they are returned."""
        self.strangers = {
            o: trouble for o, trouble in self.strangers.items() if now - (trouble.since or 0) < STRANGER_S
        }
        gone = [peer for peer in self.peers.values() if peer.forgettable(now)]
        for peer in gone:
            self.forget(peer)
        return gone

    def forget(self, peer: Peer) -> None:
        self.peers.pop(peer.address, None)
        self.snapshots.pop(peer.address, None)
        self.generation += 1

    # -- what is known ------------------------------------------------------------------------------------------------

    def nodes(self) -> list[Peer]:
        """One peer for each other node: of several addresses with one life, the one that does best."""
        best: dict[str, Peer] = {}
        for peer in sorted(self.peers.values(), key=lambda p: (_BEST_FIRST.index(p.state), p.address)):
            best.setdefault(peer.uid or str(peer.address), peer)
        return sorted(best.values(), key=lambda p: (p.node_id or "~", p.address))

    def live(self) -> list[tuple[Peer, Snapshot]]:
        """Whose figures count, with them. This node is not among them."""
        return [(peer, self.snapshots[peer.address]) for peer in self.nodes() if peer.live]

    def coverage(self) -> Coverage:
        nodes = self.nodes()
        there = [State.CONNECTED, State.RESPONDING, State.UNRESPONSIVE]
        return Coverage(
            1 + len(nodes),
            1 + sum(peer.state in there for peer in nodes),
            1 + sum(peer.live for peer in nodes),
            1 + sum(peer.node_id is not None for peer in nodes),
            tuple(label(peer) for peer in nodes if peer.state is State.UNRESPONSIVE),
            tuple(label(peer) for peer in nodes if peer.state is State.DISCONNECTED),
        )

    def troubles(self) -> list[Trouble]:
        found = [] if self.dns is None else [self.dns]
        found += [trouble for origin, trouble in self.strangers.items() if origin in self._named_hosts()]
        found += [
            Trouble(peer.reason, label(peer), REASONS[peer.reason], peer.since)
            for peer in self.nodes()
            if peer.reason in REASONS
        ]
        return found + self._duplicates()

    def _named_hosts(self) -> set[str]:
        """Anybody may ask wrongly; whom DNS names is one whom an operator can mend."""
        return {address.host for address in (*self.peers, *self.own)}

    def _duplicates(self) -> list[Trouble]:
        places: dict[str, list[str]] = {self.node_id: ["this node"]}
        for peer in self.nodes():
            if peer.node_id is not None and peer.live:
                places.setdefault(peer.node_id, []).append(str(peer.address))
        return [
            Trouble("duplicate_id", id_, f"{len(where)} nodes are called {id_}: {', '.join(where)}")
            for id_, where in places.items()
            if len(where) > 1
        ]


REASONS: Final = {
    "secret": "its SECRET_KEY_BASE is not ours",
    "clock": "its clock and ours differ by more than half a minute",
    "cluster": "it belongs to a cluster of another CLUSTER_NODE_BASENAME",
    "version": "it runs a version that speaks otherwise",
}
"""Failures that an operator must mend, by their word."""


def label(peer: Peer) -> str:
    return peer.node_id or str(peer.address)

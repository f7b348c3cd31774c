"""The cluster at run time: one task that asks DNS, one for each other node that asks it for its snapshot.

    cluster ─┬─ discovery       every 5 s
             └─ one per peer    every 15 s at most, from the moment DNS names it; ends when the peer is forgotten

What is known lives in `Membership` and outlives a restart of these tasks. Nothing in here is waited for by a call.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from math import inf
from random import Random
from typing import Any, Final, Protocol

import attrs
import structlog
import trio

from lasso_trio.cluster import view
from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Origin, Picture
from lasso_trio.cluster.discovery import Discovery, DnsFault
from lasso_trio.cluster.lifecycle import CHECK_S, Peer, Sign, State
from lasso_trio.cluster.lines import Failure, Lines
from lasso_trio.cluster.membership import Membership
from lasso_trio.cluster.seal import NONCE_BYTES, Nonces, Seal
from lasso_trio.cluster.share import own_snapshot
from lasso_trio.cluster.snapshot import Snapshot, encode
from lasso_trio.cluster.talk import (
    Body,
    Identity,
    Introduction,
    Refused,
    answer,
    check_answer,
    check_question,
    question,
)
from lasso_trio.config.cluster_terms import ClusterTerms
from lasso_trio.config.secret import Secret
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.node import Node

log = structlog.get_logger(__name__)

POLL_S: Final = 5.0
SOONEST_S: Final = 1.0
"""DNS is not asked more often, whoever wants it to be."""
TIMEOUT_S: Final = 5.0
FRESH_S: Final = 5.0
SPARING: Final = 300
"""What took a second to make is good for so many, in bounds: see `fresh_s`."""
AT_ONCE: Final = 16
"""Exchanges of this node that are under way together, at most. Those with nodes that do not answer have as many of
their own: each may last its whole time-out, and who is alive must not wait for that."""
NOT_THERE: Final = (State.UNRESPONSIVE, State.DISCONNECTED)
MOST_PICTURES: Final = 64

Row = dict[str, Any]


class Transport(Protocol):
    """See `lines.Lines`."""

    async def ask(self, address: Address, frame: bytes, until: float) -> bytes: ...

    async def drop(self, address: Address) -> None: ...

    def expire(self) -> None: ...

    def close(self) -> None: ...


def wall_clock() -> float:
    """Seconds since the epoch: nodes share no other clock."""
    return datetime.now(UTC).timestamp()


@attrs.define(eq=False)
class Cluster:
    """`look`: what DNS names now. `snapshot`: this node's own, with the number it is given."""

    me: Identity
    query: str
    seal: Seal
    look: Callable[[], Awaitable[set[Address]]]
    lines: Transport
    snapshot: Callable[[int], Awaitable[Snapshot]]
    wall: Callable[[], float] = wall_clock
    rng: Random = attrs.field(factory=Random)
    membership: Membership = attrs.field(init=False)
    _nonces: Nonces = attrs.field(factory=Nonces)
    _wakes: dict[Address, trio.Event] = attrs.field(factory=dict)
    _look_now: trio.Event = attrs.field(factory=trio.Event)
    _turn: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    _knocking: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    _making: trio.Lock = attrs.field(factory=trio.Lock)
    _drawing: trio.Lock = attrs.field(factory=trio.Lock)
    _pictures: dict[tuple[str | int | None, ...], tuple[float, Row]] = attrs.field(factory=dict)
    _own: tuple[float, Snapshot, Body] | None = None
    _sequence: int = 0

    @classmethod
    def of(
        cls,
        terms: ClusterTerms,
        secret: Secret,
        port: int,
        node: Node,
        directory: Callable[[], Directory],
    ) -> Cluster:
        """`port`: where this node listens, and the others, unless the terms say where."""
        me = Identity(terms.node_basename, node.id, secrets.token_hex(8))
        discovery = Discovery(terms.dns_query, terms.port or port, terms.dns_server)

        async def snapshot(sequence: int) -> Snapshot:
            return await own_snapshot(node, directory(), sequence)

        return cls(me, terms.dns_query, Seal(secret), discovery.look, Lines(), snapshot)

    @membership.default
    def _alone(self) -> Membership:
        return Membership(self.me.node_id, self.me.uid)

    # -- asking the others --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; connections are closed then."""
        try:
            async with trio.open_nursery() as nursery:
                for peer in list(self.membership.peers.values()):
                    nursery.start_soon(self._follow, peer, name=f"cluster {peer.address}")
                await self._discover(nursery)
        finally:
            self.lines.close()

    async def _discover(self, nursery: trio.Nursery) -> None:
        while True:
            for address in await self._poll():
                peer = self.membership.peers[address]
                nursery.start_soon(self._follow, peer, name=f"cluster {address}")
            for peer in self.membership.sweep(trio.current_time()):
                self._wake(peer)
            self.lines.expire()
            self._look_now = trio.Event()
            await trio.sleep(SOONEST_S)
            with trio.move_on_after(POLL_S * self.rng.uniform(0.9, 1.0) - SOONEST_S):
                await self._look_now.wait()

    async def _poll(self) -> list[Address]:
        """Who is new. DNS that fails changes nothing but what is said about it."""
        try:
            named = await self.look()
        except DnsFault as fault:
            if self.membership.dns_failed(self.query, str(fault), trio.current_time()):
                log.warning("cluster.dns_failed", query=self.query, error=str(fault))
            return []
        if self.membership.dns is not None:
            log.info("cluster.dns_answers_again", query=self.query)
        return self.membership.listed(named, trio.current_time())

    async def _follow(self, peer: Peer) -> None:
        """Ask one node again and again, until it is forgotten or turns out to be this one."""
        peers = self.membership.peers
        while peers.get(peer.address) is peer:
            await self._exchange(peer)
            if peers.get(peer.address) is not peer:
                break
            wake = self._wakes[peer.address] = trio.Event()
            with trio.move_on_after(peer.delay(self.rng)):
                await wake.wait()
        self._wakes.pop(peer.address, None)
        await self.lines.drop(peer.address)

    async def _exchange(self, peer: Peer) -> None:
        before, reason = peer.state, peer.reason
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            async with self._knocking if peer.state in NOT_THERE else self._turn:
                frame = question(self.seal, self.me, nonce, self.wall())
                told = await self.lines.ask(peer.address, frame, trio.current_time() + TIMEOUT_S)
                teller, snapshot = check_answer(self.seal, self.me, nonce, told)
            self.membership.answered(peer, teller.node_id, teller.uid, snapshot, trio.current_time())
        except Refused as refused:
            self.membership.failed(peer, refused.kind, Sign.THERE, trio.current_time())
        except Failure as failure:
            if failure.sign is not None:
                self.membership.failed(peer, failure.reason, failure.sign, trio.current_time())
        _tell(peer, before, reason)

    def _wake(self, peer: Peer) -> None:
        event = self._wakes.get(peer.address)
        if event is not None:
            event.set()

    # -- answering the others -----------------------------------------------------------------------------------------

    async def answer(self, frame: bytes, origin: str) -> bytes:
        """What another node is told who asks from `origin`. Raises Refused, which is also reported."""
        try:
            asker = check_question(self.seal, self.me, self._nonces, frame, self.wall())
        except Refused as refused:
            if self.membership.refused(refused.kind, origin, refused.detail, trio.current_time()):
                log.warning("cluster.refused", origin=origin, kind=refused.kind, detail=refused.detail)
            raise
        self._heard_of(asker)
        _, body = await self.own()
        return answer(self.seal, self.me, asker, body, self.wall())

    def _heard_of(self, asker: Introduction) -> None:
        """Who asks is alive: if it was not known to be, that is looked into now."""
        peers = self.membership.peers.values()
        if asker.uid == self.me.uid or any(peer.live and peer.uid == asker.uid for peer in peers):
            return
        self._look_now.set()
        for peer in peers:
            if not peer.live and peer.node_id in (None, asker.node_id):
                self._wake(peer)

    async def own(self) -> tuple[Snapshot, Body]:
        """This node's snapshot, made once for all who want it within some seconds."""
        async with self._making:
            stale_at, snapshot, body = self._own or (-inf, None, None)
            began = trio.current_time()
            if snapshot is None or body is None or began >= stale_at:
                self._sequence += 1
                snapshot = await self.snapshot(self._sequence)
                body = Body.of(encode(snapshot))
                now = trio.current_time()
                self._own = (now + fresh_s(now - began), snapshot, body)
            return snapshot, body

    # -- being looked at ----------------------------------------------------------------------------------------------

    def health(self) -> Row:
        return view.health(self.membership)

    def summary(self) -> Row:
        """Who is missing and what is wrong. Counts include this node."""
        return view.summary(self.membership)

    def knows(self, node: str | None) -> bool:
        """Whether there is such a node, dead ones too; None are all of them."""
        known = (peer.node_id for peer in self.membership.nodes())
        return node in (None, self.membership.node_id) or node in known

    async def overview(self) -> Row:
        snapshot, _ = await self.own()
        return view.overview(self.membership, snapshot, self.me.cluster, trio.current_time())

    async def picture(self, drawn: Picture, node: str | None = None, region: str | None = None) -> Row:
        """`drawn` with the figures of all nodes that respond, or of one `node` or `region`, as JSON. Others run in
        between. Many who look within some seconds are shown one picture, unless a node came or went.

        Raises BadSnapshot where methods are asked for and cannot be read.
        """
        key = (drawn.profile, drawn.chain, drawn.provider, node, region, self.membership.generation)
        async with self._drawing:
            began = trio.current_time()
            self._pictures = {k: kept for k, kept in self._pictures.items() if began < kept[0]}
            known = self._pictures.get(key)
            if known is None:
                row = await self._draw(drawn, node, region)
                now = trio.current_time()
                known = self._pictures[key] = (now + fresh_s(now - began), row)
                if len(self._pictures) > MOST_PICTURES:
                    del self._pictures[next(iter(self._pictures))]
            return known[1]

    async def _draw(self, drawn: Picture, node: str | None, region: str | None) -> Row:
        snapshot, _ = await self.own()
        shares = [(self.me.node_id, snapshot), *((peer.node_id or "", told) for peer, told in self.membership.live())]
        for id_, share in shares:
            origin = Origin(id_, view.region_of(id_))
            if node in (None, id_) and region in (None, origin.region):
                drawn.add(origin, share)
                await trio.lowlevel.checkpoint()
        row = view.picture(drawn)
        for chain in row["chains"] if drawn.chain is not None else ():
            chain["providers"] = []
            for id_, provider in sorted(drawn.chains[chain["chain"]].providers.items()):
                chain["providers"].append(view.provider(id_, provider))
                await trio.lowlevel.checkpoint()
        return row


def fresh_s(took_s: float) -> float:
    """For how long something is good that took so long to make: the larger a cluster, the longer, up to a period."""
    return min(CHECK_S, max(FRESH_S, SPARING * took_s))


def _tell(peer: Peer, before: State, reason: str) -> None:
    """Log what changed."""
    if peer.state is not before:
        say = log.warning if peer.state in (State.UNRESPONSIVE, State.DISCONNECTED) else log.info
        say("cluster.node", node=peer.node_id, address=str(peer.address), was=before.value, state=peer.state.value,
            reason=peer.reason or None)  # fmt: skip
    elif peer.reason != reason and peer.reason:
        log.warning("cluster.exchange_failed", node=peer.node_id, address=str(peer.address), reason=peer.reason)

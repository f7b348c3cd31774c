"""To other nodes a node is one: its keeping worker finds them, asks them and answers them; the others pass things on.

    another node's question ─► any worker ─► the keeping one ─► the answer, the same way back
    /api/cluster, the page  ─► any worker ─► the keeping one
    /api/health, snapshots  ◄─ what the keeping one told last, as it changes

When another worker takes over it goes on with who is known (`cluster.handover`), and asks them all at once for their
figures. Until they have answered it shows what its predecessor told last.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.cluster import Cluster
from lasso_trio.cluster.desk import Silent
from lasso_trio.cluster.handover import Left, inherit, left
from lasso_trio.cluster.membership import Membership
from lasso_trio.cluster.snapshot import BadSnapshot
from lasso_trio.cluster.talk import Refused
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.frame import MAX_PAYLOAD
from lasso_trio.workers.topics import BusFault

NEWS: Final = "cluster.news"
QUESTION: Final = "cluster.question"
OVERVIEW: Final = "cluster.overview"
PICTURE: Final = "cluster.picture"
EVERY_S: Final = 1.0
PATIENCE_S: Final = 4.0
"""Less than the other node's, which would like to hear why."""

Row = dict[str, Any]


class News(msgspec.Struct, array_like=True, frozen=True):
    health: Row
    summary: Row
    known: list[str]
    peers: list[Left] = []


class Question(msgspec.Struct, array_like=True, frozen=True):
    frame: bytes
    origin: str


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """`refusal`: kind and detail, if it was not answered."""

    body: bytes = b""
    refusal: tuple[str, str] | None = None


class Wanted(msgspec.Struct, array_like=True, frozen=True):
    profile: str
    chain: str | None
    provider: str | None
    node: str | None
    region: str | None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_news: Final = msgspec.msgpack.Decoder(News).decode
_decode_question: Final = msgspec.msgpack.Decoder(Question).decode
_decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode
_decode_wanted: Final = msgspec.msgpack.Decoder(Wanted).decode
_decode_row: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


@attrs.define(eq=False)
class ClusterShare:
    """A `ClusterDesk` for one worker of several. Made before the bus runs. `own`: used while this one keeps."""

    bus: Bus
    own: Cluster
    news: News | None = None
    _told_at: float = 0.0
    """When `news` came."""
    _waited_for: set[Address] = attrs.field(factory=set)
    """Who responded to the keeping worker before this one, and has not been heard of since."""
    _named: trio.Event = attrs.field(factory=trio.Event)
    _told: tuple[object, ...] = ()

    def __attrs_post_init__(self) -> None:
        self.bus.listen(NEWS, self._hear)
        self.bus.answer(QUESTION, self._answer)
        self.bus.answer(OVERVIEW, self._overview)
        self.bus.answer(PICTURE, self._picture)
        self.bus.on_role(self._role)
        self.bus.on_join(self._welcome)

    @property
    def membership(self) -> Membership:
        return self.own.membership

    def health(self) -> Row:
        return self._seen().health

    def summary(self) -> Row:
        return self._seen().summary

    def knows(self, node: str | None) -> bool:
        return node is None or node in self._seen().known

    async def overview(self) -> Row:
        if self.bus.keeping:
            return await self.own.overview()
        return _decode_row(await self._ask(OVERVIEW, b""))

    async def picture(self, drawn: Picture, node: str | None = None, region: str | None = None) -> Row:
        """Raises BadSnapshot, Silent."""
        if self.bus.keeping:
            return await self.own.picture(drawn, node, region)
        wanted = Wanted(drawn.profile, drawn.chain, drawn.provider, node, region)
        return _decode_row(await self._ask(PICTURE, _encode(wanted)))

    async def answer(self, frame: bytes, origin: str) -> bytes:
        """Raises Refused, Silent."""
        if self.bus.keeping:
            return await self.own.answer(frame, origin)
        told = _decode_answer(await self._ask(QUESTION, _encode(Question(frame, origin))))
        if told.refusal is not None:
            raise Refused(*told.refusal)
        return told.body

    async def run(self) -> NoReturn:
        """Speak with the other nodes from the moment that this worker keeps. Until cancelled."""
        await self._named.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.own.run, name="cluster exchanges")
            await self._tell_news()
        raise AssertionError("it tells until it is cancelled")

    async def _tell_news(self) -> NoReturn:
        while True:
            news = self._seen()
            told = (news.health, news.summary, [peer.place for peer in news.peers])
            if told != self._told:
                self._told = told
                self.bus.tell(NEWS, _encode(news))
            await trio.sleep(EVERY_S)

    def _seen(self) -> News:
        if self.news is not None and not (self.bus.keeping and self._has_heard_all()):
            return self.news
        membership = self.own.membership
        known = [membership.node_id, *(peer.node_id for peer in membership.nodes() if peer.node_id is not None)]
        return News(self.own.health(), self.own.summary(), known, left(membership, trio.current_time()))

    def _has_heard_all(self) -> bool:
        """Of those who were there, as an heir; each has answered or failed within one time-out."""
        peers = self.own.membership.peers
        self._waited_for = {a for a in self._waited_for if a in peers and not (peers[a].live or peers[a].failures)}
        return not self._waited_for

    def _hear(self, sender: int, payload: bytes) -> None:
        self.news, self._told_at = _decode_news(payload), trio.current_time()

    def _role(self) -> None:
        if self.bus.keeping and not self._named.is_set():
            if self.news is not None:
                self._waited_for = inherit(self.own.membership, self.news.peers, self._told_at, trio.current_time())
            self._named.set()

    def _welcome(self, worker: int) -> None:
        if self.bus.keeping:
            self.bus.tell(NEWS, _encode(self._seen()), worker)

    async def _ask(self, topic: str, payload: bytes) -> bytes:
        if self.bus.keeper is None:
            raise Silent("nobody keeps now")
        try:
            return await self.bus.ask(topic, payload, self.bus.keeper, PATIENCE_S)
        except BusFault as fault:
            raise Silent(str(fault)) from fault

    # -- for the others -----------------------------------------------------------------------------------------------

    async def _answer(self, sender: int, payload: bytes) -> bytes:
        asked = _decode_question(payload)
        try:
            return _fitting(_encode(Answer(await self.own.answer(asked.frame, asked.origin))))
        except Refused as refused:
            return _encode(Answer(refusal=(refused.kind, refused.detail)))

    async def _overview(self, sender: int, payload: bytes) -> bytes:
        return _fitting(_encode(await self.own.overview()))

    async def _picture(self, sender: int, payload: bytes) -> bytes:
        wanted = _decode_wanted(payload)
        drawn = Picture(wanted.profile, wanted.chain, wanted.provider)
        try:
            return _fitting(_encode(await self.own.picture(drawn, wanted.node, wanted.region)))
        except BadSnapshot as fault:
            raise BusFault(str(fault)) from fault


def _fitting(body: bytes) -> bytes:
    if len(body) > MAX_PAYLOAD:
        raise BusFault(f"{len(body)} bytes are too large for the bus")
    return body

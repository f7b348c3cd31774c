"""The two frames of an exchange, made and checked: a question, and the answer that carries a snapshot. Pure.

Both begin with an `Introduction`: who speaks, of which cluster, when, and the nonce that ties the answer to its
question.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from lasso_trio.cluster.seal import NONCE_BYTES, SKEW_S, Direction, Nonces, Seal, Unsealed, digest
from lasso_trio.cluster.snapshot import FORMAT, BadSnapshot, Snapshot, decode
from lasso_trio.errors import LassoError

MOST_ASK_BYTES: Final = 2048


class Refused(LassoError):
    """A frame that is not taken. `kind`: secret, clock, replay, cluster, version (the words that travel)."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


@attrs.frozen
class Identity:
    """`cluster`: CLUSTER_NODE_BASENAME. `uid`: of this life of the node."""

    cluster: str
    node_id: str
    uid: str


class Introduction(msgspec.Struct, array_like=True, frozen=True):
    """`time`: seconds since the epoch. `digest`: the body's SHA-256."""

    format: int
    cluster: str
    node_id: str
    uid: str
    time: float
    nonce: bytes
    digest: bytes


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Introduction)


@attrs.frozen
class Body:
    """An encoded snapshot and its SHA-256, worked out once for all who ask."""

    packed: bytes
    digest: bytes

    @classmethod
    def of(cls, packed: bytes) -> Body:
        return cls(packed, digest(packed))


_NOTHING: Final = Body.of(b"")


def question(seal: Seal, me: Identity, nonce: bytes, wall: float) -> bytes:
    return _frame(seal, Direction.ASK, me, nonce, wall, _NOTHING)


def check_question(seal: Seal, me: Identity, nonces: Nonces, frame: bytes, wall: float) -> Introduction:
    """Who asks. Raises Refused."""
    asker = _introduced(seal, Direction.ASK, me, frame)[0]
    if abs(wall - asker.time) > SKEW_S:
        raise Refused("clock", f"its clock is {asker.time - wall:+.0f} s from ours, or the question is an old one")
    if len(asker.nonce) != NONCE_BYTES or not nonces.take(asker.nonce, wall):
        raise Refused("replay", "this question was asked before")
    return asker


def answer(seal: Seal, me: Identity, asker: Introduction, body: Body, wall: float) -> bytes:
    return _frame(seal, Direction.TELL, me, asker.nonce, wall, body)


def check_answer(seal: Seal, me: Identity, nonce: bytes, frame: bytes) -> tuple[Introduction, Snapshot]:
    """Who answers the question with this nonce, and what. Raises Refused."""
    teller, body = _introduced(seal, Direction.TELL, me, frame)
    if teller.nonce != nonce:
        raise Refused("replay", "it answers another question")
    if teller.digest != digest(body):
        raise Refused("secret", "the snapshot is not the one that was signed")
    try:
        return teller, decode(body)
    except BadSnapshot as fault:
        raise Refused("version", str(fault)) from fault


def _frame(seal: Seal, direction: Direction, me: Identity, nonce: bytes, wall: float, body: Body) -> bytes:
    header = Introduction(FORMAT, me.cluster, me.node_id, me.uid, wall, nonce, body.digest)
    return seal.close(direction, _encoder.encode(header), body.packed)


def _introduced(seal: Seal, direction: Direction, me: Identity, frame: bytes) -> tuple[Introduction, bytes]:
    try:
        header, body = seal.open(direction, frame)
        speaker = _decoder.decode(header)
    except Unsealed as fault:
        raise Refused("secret", "it is not signed with our SECRET_KEY_BASE") from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused("version", str(fault)) from fault
    if speaker.format != FORMAT:
        raise Refused("version", f"it speaks format {speaker.format}, we speak {FORMAT}")
    if speaker.cluster != me.cluster:
        raise Refused("cluster", f"it belongs to the cluster {speaker.cluster!r}")
    return speaker, body

"""One stream's events to everybody who subscribed to it: encoded once, whatever the number of sockets.

A subscription's id is made of its stream and of its ordinal: the how-manieth subscription of its socket to this stream
it is, nearly always the first. Sockets so have equal ids for equal streams, and one frame is good for all of them.

    reserve ─► id ─► (the answer is queued, replay by `publish_to`) ─► activate ─► live ─► leave

An event goes to those who were active when it was published, unless they left since. Nothing here waits and nothing
raises: what a slow client costs is the member's to decide. With `slices`, a large crowd is served bit by bit, so that
calls are not held up; the order of one stream's events stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import Final, Protocol

import attrs

from lasso_trio.subscriptions.frames import text_frame
from lasso_trio.subscriptions.slices import SLICE, Slices

PIECE: Final = 65_536
"""Bytes of events that are written together, or one event that is longer."""
_SALT: Final = token_bytes(16)
"""Ids say nothing about their streams, and those of another process are others."""


class Replayed:
    """The type of `REPLAYED`."""


REPLAYED: Final = Replayed()
"""The topic of what was asked for in one go. A client is not slow for not having read all of it at once."""


class Burst:
    """The type of `BURST`."""


BURST: Final = Burst()
"""The topic of the pieces of what was published in one go and is longer than one. Nor is a client slow for these."""


class Member(Protocol):
    """A client's socket."""

    @property
    def wants_gaps(self) -> bool:
        """Whether to tell it of what is missing (`lasso_gap`)."""

    def send_frame(self, frame: bytes, topic: object | None) -> None:
        """Take a whole frame for the client, or several in a row. Never waits, never raises.

        `topic`: a later frame of the same topic may take this one's place while it waits. None: never; nor REPLAYED and
        BURST, which may wait beyond what else may.
        """


@attrs.define(eq=False)
class Membership:
    """One subscription of one socket."""

    member: Member
    ordinal: int
    id: str
    left: bool = False


def subscription_id(stream_key: str, ordinal: int) -> str:
    """`0x` and 32 hex digits: equal for equal arguments, within this process."""
    return "0x" + blake2b(f"{ordinal} {stream_key}".encode(), digest_size=16, key=_SALT).hexdigest()


def notification(id_: str, result: bytes) -> bytes:
    """An event as clients get it; `result` is JSON and is passed on as it is."""
    text = b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"%b","result":%b}}'
    return text % (id_.encode(), result)


def gap_notification(id_: str, gap: bytes) -> bytes:
    """What a client is told when something could not be kept for it."""
    return b'{"jsonrpc":"2.0","method":"lasso_gap","params":{"subscription":"%b","result":%b}}' % (id_.encode(), gap)


class Fanout:
    """The members of one stream. `conflate`: a newer event may replace an older one that waits for a slow client."""

    def __init__(self, stream_key: str, conflate: bool = False, slices: Slices | None = None) -> None:
        self._key = stream_key
        self._conflate = conflate
        self._slices = slices
        self._ids: list[str] = []
        self._by_member: dict[Member, dict[str, Membership]] = {}
        self._active: dict[Membership, None] = {}
        self._last: _Round | None = None

    def __repr__(self) -> str:
        return f"<Fanout {self._key} members={self.members} active={len(self._active)}>"

    @property
    def members(self) -> int:
        """Subscriptions, active or not."""
        return sum(map(len, self._by_member.values()))

    def reserve(self, member: Member) -> str:
        """The id of a new subscription, which gets nothing yet but what is published to it alone."""
        own = self._by_member.setdefault(member, {})
        taken = {membership.ordinal for membership in own.values()}
        ordinal = next(n for n in range(len(taken) + 1) if n not in taken)
        if ordinal == len(self._ids):
            self._ids.append(subscription_id(self._key, ordinal))
        membership = Membership(member, ordinal, self._ids[ordinal])
        own[membership.id] = membership
        return membership.id

    def activate(self, member: Member, id: str) -> None:  # noqa: A002  (the word that clients use)
        """From now on it gets what is published. Nothing happens when it has left."""
        membership = self._by_member.get(member, {}).get(id)
        if membership is not None:
            self._active[membership] = None

    def leave(self, member: Member, id: str) -> None:  # noqa: A002
        """It gets nothing any more. Harmless when it is not there."""
        own = self._by_member.get(member, {})
        membership = own.pop(id, None)
        if membership is None:
            return
        membership.left = True
        self._active.pop(membership, None)
        if not own:
            del self._by_member[member]

    def publish(self, result: bytes) -> None:
        """One event, to every active subscription."""
        self._deliver(_Round(notification, (result,), list(self._active), self._conflate))

    def publish_all(self, results: Sequence[bytes]) -> None:
        """Events of one moment, such as a block's logs: their frames go together, as few large pieces.

        Who reads as fast as it can is so not taken for slow because a block holds more logs than may wait.
        """
        topic = BURST if sum(map(len, results)) > PIECE else None
        for piece in _pieces(results, 1 if self._conflate else PIECE):
            self._deliver(_Round(notification, piece, list(self._active), self._conflate, topic))

    def publish_to(self, member: Member, id: str, result: bytes) -> None:  # noqa: A002
        """One event of a replay, to one subscription, active or not. It does not overtake what was published before."""
        membership = self._by_member.get(member, {}).get(id)
        if membership is not None:
            self._deliver(_Round(notification, (result,), [membership], False, REPLAYED))

    def announce_gap(self, gap: bytes) -> None:
        """Tell every active subscription whose client wants to know that something is missing."""
        told = [membership for membership in self._active if membership.member.wants_gaps]
        self._deliver(_Round(gap_notification, (gap,), told, False))

    def announce_gap_to(self, member: Member, id: str, gap: bytes) -> None:  # noqa: A002
        """Something is missing of a replay: told to one subscription, behind what was published to it before."""
        membership = self._by_member.get(member, {}).get(id)
        if membership is not None and member.wants_gaps:
            self._deliver(_Round(gap_notification, (gap,), [membership], False, REPLAYED))

    def _deliver(self, round_: _Round) -> None:
        if not round_.to:  # nor may it pass for the last that is on its way
            return
        if self._slices is not None and (len(round_.to) > SLICE or self._is_busy()):
            self._last = round_
            self._slices.add(round_)
        else:
            round_.serve(len(round_.to))

    def _is_busy(self) -> bool:
        """Whether something that was published earlier is still on its way."""
        return self._last is not None and not self._last.over


@attrs.define(eq=False)
class _Round:
    """Events on their way, together, to those who are to have them; `done` of them were looked at."""

    encode: Callable[[str, bytes], bytes]
    results: Sequence[bytes]
    to: list[Membership]
    conflate: bool
    topic: object | None = None
    """Of all frames, where they are not conflated."""
    done: int = 0
    _frames: dict[str, bytes] = attrs.field(factory=dict)

    @property
    def over(self) -> bool:
        return self.done >= len(self.to)

    def serve(self, most: int) -> bool:
        frames, end = self._frames, min(len(self.to), self.done + most)
        while self.done < end:
            membership = self.to[self.done]
            self.done += 1
            if membership.left:
                continue
            id_ = membership.id
            frame = frames.get(id_)
            if frame is None:
                frame = frames[id_] = b"".join([text_frame(self.encode(id_, result)) for result in self.results])
            membership.member.send_frame(frame, id_ if self.conflate else self.topic)
        return self.over


def _pieces(results: Sequence[bytes], most: int) -> Iterator[list[bytes]]:
    """`results` in order, as few lists that hold at most so many bytes, or one result each."""
    piece, size = list[bytes](), 0
    for result in results:
        if piece and size + len(result) > most:
            yield piece
            piece, size = [], 0
        piece.append(result)
        size += len(result)
    if piece:
        yield piece

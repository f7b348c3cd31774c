"""Whether the nodes are syncing: what those say that feed the stream, told when it changes.

Nodes tell of it when it changes, and not when one subscribes: who said nothing is not syncing. What a provider said is
forgotten with its feed, so nobody is told for ever what a dead one said last.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from lasso_trio.subscriptions.fanout import Member
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_set import OpenFeed
from lasso_trio.subscriptions.plain_stream import PlainStream

NOT: Final = b"false"


class _State(msgspec.Struct):
    syncing: bool = True


_decode: Final = msgspec.json.Decoder(bool | _State).decode


@attrs.define(eq=False)
class SyncingStream(PlainStream):
    """`_states`: what each feed said last, by its label, as long as it says that it is syncing."""

    _states: dict[str, bytes] = attrs.field(factory=dict)
    _last: bytes = NOT

    def greet(self, member: Member, id_: str) -> None:
        """A client that would hear nothing is told where it stands."""
        self.fanout.publish_to(member, id_, self._last)

    def _nobody(self, text: str) -> None:
        """Nobody says that it is syncing: there is an answer to that."""
        self.live.set()

    def _heard(self, feed: OpenFeed, arrival: Arrival) -> None:
        self.feeds.quality(feed.source.instance_id).arrived(0.0)
        self._states.pop(feed.label, None)  # the newest is told last
        if is_syncing(arrival.result):
            self._states[feed.label] = arrival.result
        self._tell()

    def _changed(self, feed: OpenFeed) -> None:
        super()._changed(feed)
        if not feed.is_open and self._states.pop(feed.label, None) is not None:
            self._tell()

    def _tell(self) -> None:
        state = next(reversed(self._states.values()), NOT)
        if state != self._last:
            self._last = state
            self.publish(state)


def is_syncing(result: bytes) -> bool:
    """`false` and `{"syncing":false}` say that it is not; anything else says how far it is."""
    try:
        told = _decode(result)
    except (msgspec.DecodeError, RecursionError):
        return True
    return told if isinstance(told, bool) else told.syncing

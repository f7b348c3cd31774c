"""Which chains clients use, or somebody looks at, at the other workers: the keeping one looks seldom at one of which
neither is true.

Read from counts that are kept anyway, every two seconds; a call pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.workers.bus import Bus

TOPIC: Final = "activity"
EVERY_S: Final = 2.0

Place = tuple[str, str]
"""A profile's slug and its chain's key."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Place]).decode


@attrs.define(eq=False)
class Activity:
    """`directory`: the configuration that serves now."""

    bus: Bus
    directory: Callable[[], Directory]
    _seen: dict[Place, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.bus.listen(TOPIC, self._hear)

    async def run(self) -> NoReturn:
        """Tell the keeping worker what is used here, until cancelled."""
        while True:
            await trio.sleep(EVERY_S)
            used = self._used()
            keeper = self.bus.keeper
            if used and keeper is not None and not self.bus.keeping:
                self.bus.tell(TOPIC, _encode(used), keeper)

    def _used(self) -> list[Place]:
        """Since the last look."""
        before = self._seen
        self._seen = {_place(chain): _signs(chain) for chain in self.directory().chains()}
        return [place for place, signs in self._seen.items() if signs != before.get(place, 0)]

    def _hear(self, _: int, payload: bytes) -> None:
        used = set(_decode(payload))
        for chain in self.directory().chains():
            chain.counts.elsewhere += _place(chain) in used


def _signs(chain: RoutedChain) -> int:
    """Calls of clients, what is read for subscriptions, and looks at it."""
    return chain.counts.calls + chain.own_counts.calls + chain.counts.elsewhere


def _place(chain: RoutedChain) -> Place:
    return chain.profile.slug, chain.chain.key

"""What streams read (blocks that fill a hole, a block's logs, where the chain is) is read once for all workers.

    a follower's stream ─► asked of the keeping worker ─┐
    the keeping worker's own ───────────────────────────┴─► under way already: waited for · just read: told again · read
    the keeping worker is gone, slow, or refuses ─► the follower reads for itself

So a stream that clients of four workers share costs its providers what it costs with one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Service
from lasso_trio.subscriptions.reader import RoutedReader, Unreadable
from lasso_trio.workers.bus import Bus, BusFault

TOPIC: Final = "read"
ASK_S: Final = 2.0
"""A follower waits no longer for the keeping worker: then it reads for itself."""
KEPT_S: Final = 3.0
"""The workers' streams ask for the same within moments of each other."""
MOST_KEPT: Final = 128
LARGEST: Final = 256 * 1024
"""Bytes of a result that is kept, or told; what is larger each reads for itself."""
LATEST: Final = b'["latest",false]'


class Read(msgspec.Struct, array_like=True, frozen=True):
    """`params`: JSON."""

    profile: str
    chain: str
    method: str
    params: bytes


class Told(msgspec.Struct, array_like=True, frozen=True):
    """`result`: JSON. None: it could not be read, for `fault`."""

    result: bytes | None
    fault: str = ""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_read: Final = msgspec.msgpack.Decoder(Read).decode
_decode_told: Final = msgspec.msgpack.Decoder(Told).decode


@attrs.define(eq=False)
class _Flight:
    """A read under way. `told` None when it is done: nobody finished it."""

    done: trio.Event = attrs.field(factory=trio.Event)
    told: Told | None = None


@attrs.frozen
class SharedReader(RoutedReader):
    """A stream's reader."""

    reads: SharedReads = attrs.field(kw_only=True)

    async def ask(self, name: str, params: bytes) -> bytes:
        """See `RoutedReader.ask`."""
        read = Read(self.chain.profile.slug, self.chain.chain.key, name, params)
        told = await self.reads.ask(read)
        if told is None:
            return await RoutedReader(self.service, self.chain).ask(name, params)
        if told.result is None:
            raise Unreadable(told.fault)
        return told.result


@attrs.define(eq=False)
class SharedReads:
    """Made before the bus runs. `directory`: the configuration that serves now."""

    bus: Bus
    service: Service
    directory: Callable[[], Directory]
    _flights: dict[Read, _Flight] = attrs.field(factory=dict)
    _kept: dict[Read, tuple[float, Told]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.bus.answer(TOPIC, self._answer)

    def reader(self, chain: RoutedChain) -> SharedReader:
        """For `Hub.make_reader`."""
        return SharedReader(self.service, chain, reads=self)

    async def ask(self, read: Read) -> Told | None:
        """None: who asks should read for itself."""
        keeper = self.bus.keeper
        if keeper is None:
            return None
        if self.bus.keeping:
            return await self._once(read)
        try:
            return _decode_told(await self.bus.ask(TOPIC, _encode(read), keeper, ASK_S))
        except BusFault:
            return None

    async def _answer(self, _: int, payload: bytes) -> bytes:
        if not self.bus.keeping:
            raise BusFault("this worker does not keep")
        told = await self._once(_decode_read(payload))
        if told is None or len(told.result or b"") > LARGEST:
            raise BusFault("nothing that could be passed on")
        return _encode(told)

    async def _once(self, read: Read) -> Told | None:
        while (flight := self._flights.get(read)) is not None:
            await flight.done.wait()
            if flight.told is not None:
                return flight.told
        until, told = self._kept.get(read, (0.0, None))
        if told is not None and trio.current_time() < until:
            return told
        return await self._fly(read)

    async def _fly(self, read: Read) -> Told | None:
        chain = self._chain(read)
        if chain is None:
            return None
        flight = self._flights[read] = _Flight()
        try:
            flight.told = Told(await RoutedReader(self.service, chain).ask(read.method, read.params))
            self._keep(read, flight.told)
        except Unreadable as fault:
            flight.told = Told(None, str(fault))
        finally:
            del self._flights[read]
            flight.done.set()
        return flight.told

    def _keep(self, read: Read, told: Told) -> None:
        result = told.result or b""
        if read.params == LATEST or result == b"null" or len(result) > LARGEST:
            return  # another one in a moment, or perhaps there in a moment, or too much
        self._kept.pop(read, None)
        self._kept[read] = trio.current_time() + KEPT_S, told
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def _chain(self, read: Read) -> RoutedChain | None:
        profile = self.directory().find(read.profile)
        chains = () if profile is None else profile.chains
        return next((chain for chain in chains if chain.chain.key == read.chain), None)

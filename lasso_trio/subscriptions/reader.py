"""How streams read blocks and logs over HTTP: what fills holes, checks blocks, replays, and stands in for feeds.

`RoutedReader` sends each read through the routing that clients' calls take: planned, failed over, hedged; but counted
apart, for no client asked. Every read asks for something exact (a block by hash, its logs by its hash), except for the
two that look where the chain is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs
import msgspec
import trio
from msgspec import Raw

from lasso_trio.config.profile import Strategy
from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.methods import known
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Service, Wish
from lasso_trio.subscriptions.header import BadHeader, Header, of_block
from lasso_trio.subscriptions.log import BadLog, Log, read_all
from lasso_trio.subscriptions.wanted import LogFilter

_encode: Final = msgspec.json.Encoder().encode


class Unreadable(LassoError):
    """Nobody could tell, or what was told is no answer. To be tried again while there is time."""


class Reader(Protocol):
    """All raise Unreadable; None: the node that answered does not have that block."""

    async def latest(self) -> Header | None: ...

    async def by_number(self, number: int) -> Header | None: ...

    async def by_hash(self, hash_: str) -> Header | None: ...

    async def logs(self, hash_: str, filter_: LogFilter) -> list[Log]:
        """The filter's logs in the block of that hash; a block that the node does not have is Unreadable."""


@attrs.frozen
class CurrentReader:
    """Whichever reader `current` tells at the time of each read: a reload exchanges chains under living streams."""

    current: Callable[[], Reader]

    async def latest(self) -> Header | None:
        return await self.current().latest()

    async def by_number(self, number: int) -> Header | None:
        return await self.current().by_number(number)

    async def by_hash(self, hash_: str) -> Header | None:
        return await self.current().by_hash(hash_)

    async def logs(self, hash_: str, filter_: LogFilter) -> list[Log]:
        return await self.current().logs(hash_, filter_)


class _Result(msgspec.Struct):
    result: Raw = Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Result).decode
_WISH: Final = Wish(strategy=Strategy.FASTEST)
_NEWEST: Final = Wish(strategy=Strategy.FASTEST, bypass_cache=True)
READS: Final = (_WISH, _NEWEST)
"""By these wishes the reads of streams are told from clients' calls."""
_LATEST: Final = b'["latest",false]'


@attrs.frozen
class RoutedReader:
    service: Service
    chain: RoutedChain

    async def latest(self) -> Header | None:
        return await self._block("eth_getBlockByNumber", _LATEST)

    async def by_number(self, number: int) -> Header | None:
        header = await self._block("eth_getBlockByNumber", b'["0x%x",false]' % number)
        if header is not None and header.number != number:
            raise Unreadable("another block than was asked for")
        return header

    async def by_hash(self, hash_: str) -> Header | None:
        header = await self._block("eth_getBlockByHash", _encode((hash_, False)))
        if header is not None and header.hash != hash_:
            raise Unreadable("another block than was asked for")
        return header

    async def logs(self, hash_: str, filter_: LogFilter) -> list[Log]:
        raw = await self.ask("eth_getLogs", _encode([{"blockHash": hash_, **filter_.members()}]))
        try:
            return read_all(raw, hash_)
        except BadLog as bad:
            raise Unreadable(str(bad)) from None

    async def _block(self, method: str, params: bytes) -> Header | None:
        raw = await self.ask(method, params)
        try:
            return None if raw == b"null" else of_block(raw)
        except BadHeader as bad:
            raise Unreadable(str(bad)) from None

    async def ask(self, name: str, params: bytes) -> bytes:
        """The raw JSON of the result of one call. Raises Unreadable."""
        method = known(name)
        assert method is not None, name
        request = Request(method, params, b"0")
        chain, wish = self.chain.for_itself(), _NEWEST if params == _LATEST else _WISH
        served = await self.service.serve(chain, wish, request, trio.current_time(), stream=False)
        reply = served.outcome.reply
        if reply is None or reply.error is not None:
            raise Unreadable("the read was refused" if reply is not None else "nobody answered the read")
        return bytes(_decode(reply.splice(b"0")).result)

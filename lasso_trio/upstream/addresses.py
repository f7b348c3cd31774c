"""The addresses of one host, remembered: a resolver that is slow or down must not stop calls to a host that is up.

Look-ups run in worker threads under a limiter of their own (a hung resolver would otherwise eat the tokens everybody
else's threads need), one at a time per host. What was once resolved is used for a minute without asking, and after that
whenever asking fails or takes more than two seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

import attrs
import trio

from lasso_trio.upstream.faults import ResolveFault

TTL_S: Final = 60.0
RETRY_S: Final = 5.0
"""The least time between two look-ups, however badly they or the connects end."""
PATIENCE_S: Final = 2.0
"""How long a look-up may take while old addresses are at hand."""

_threads: Final = trio.CapacityLimiter(16)


@attrs.frozen
class Address:
    """What `socket.connect` takes: `where` is (host, port) or (host, port, flow, scope) with a literal host."""

    family: socket.AddressFamily
    where: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


LookUp = Callable[[str, int], Awaitable[list[Address]]]
"""Raises OSError (`socket.gaierror`) when the resolver fails."""


async def look_up(host: str, port: int) -> list[Address]:
    """The system's resolver. Cancelled: the thread is left to end by itself."""
    found = await trio.to_thread.run_sync(
        socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM, limiter=_threads, abandon_on_cancel=True
    )
    return [Address(family, where) for family, _, _, _, where in found]


class AddressBook:
    """`await book.addresses()`; `distrust()` when none of them could be connected to."""

    def __init__(
        self, host: str, port: int, *, look_up: LookUp = look_up, clock: Callable[[], float] = trio.current_time
    ) -> None:
        self._host = host
        self._port = port
        self._look_up = look_up
        self._clock = clock
        self._known: list[Address] = _literal(host, port)
        self._is_literal = bool(self._known)
        self._asked_at = self._good_until = float("-inf")
        self._asking = trio.Lock()

    def distrust(self) -> None:
        """Ask again soon; what is known stays as the last resort."""
        self._good_until = min(self._good_until, self._asked_at + RETRY_S)

    async def addresses(self) -> list[Address]:
        """Not empty, address families taking turns (RFC 8305 §4). Raises ResolveFault."""
        if self._is_literal or self._clock() < self._good_until:
            return self._known
        async with self._asking:
            if self._clock() >= self._good_until:
                await self._refresh()
        return self._known

    async def _refresh(self) -> None:
        found: list[Address] = []
        try:
            with trio.move_on_after(PATIENCE_S if self._known else float("inf")):
                found = await self._look_up(self._host, self._port)
        except (OSError, UnicodeError) as error:
            if not self._known:
                raise ResolveFault("resolver", "the host name could not be resolved") from error
        if not found and not self._known:
            raise ResolveFault("no_address", "the host name has no address")
        self._known = _taking_turns(found) if found else self._known
        self._asked_at = self._clock()
        self._good_until = self._asked_at + (TTL_S if found else RETRY_S)


def _literal(host: str, port: int) -> list[Address]:
    try:
        version = ip_address(host).version
    except ValueError:
        return []
    if version == 4:
        return [Address(socket.AF_INET, (host, port))]
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    return [Address(family, where) for family, _, _, _, where in found]


def _taking_turns(found: list[Address]) -> list[Address]:
    """The resolver's order, but the second attempt is of the other family: one of the two may be broken here."""
    first = [address for address in found if address.family == found[0].family]
    other = [address for address in found if address.family != found[0].family]
    return first[:1] + other[:1] + first[1:] + other[1:]

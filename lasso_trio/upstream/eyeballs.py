"""Connecting to the first address that answers (RFC 8305, "Happy Eyeballs"), without trying the next ones in vain.

The next address is tried when the one before has failed, or has not answered for 250 ms. The first socket that connects
wins; the others are closed. Cancelled: all are closed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from lasso_trio.upstream.addresses import Address
from lasso_trio.upstream.faults import connect_fault

STAGGER_S: Final = 0.25


async def connect(addresses: Sequence[Address]) -> socket.socket:
    """A connected, non-blocking socket. Raises ConnectFault when no address accepts."""
    race = _Race()
    try:
        if len(addresses) == 1:
            await race.attempt(addresses[0], trio.Event())
        else:
            await race.run(addresses)
    except BaseException:
        race.close()
        raise
    if race.winner is None:
        raise connect_fault(race.errors) from (race.errors[-1] if race.errors else None)
    return race.winner


@attrs.define
class _Race:
    winner: socket.socket | None = None
    errors: list[OSError] = attrs.field(factory=list)

    async def run(self, addresses: Sequence[Address]) -> None:
        async with trio.open_nursery() as attempts:
            for address in addresses:
                over = trio.Event()
                attempts.start_soon(self.attempt, address, over, attempts.cancel_scope)
                with trio.move_on_after(STAGGER_S):
                    await over.wait()

    async def attempt(self, address: Address, over: trio.Event, others: trio.CancelScope | None = None) -> None:
        try:
            sock = await _connect_one(address)
        except OSError as error:
            self.errors.append(error)
        else:
            self._finish(sock)
            if others is not None:
                others.cancel()
        over.set()

    def _finish(self, sock: socket.socket) -> None:
        if self.winner is None:
            self.winner = sock
        else:  # two connected in the same tick
            sock.close()

    def close(self) -> None:
        if self.winner is not None:
            self.winner.close()


async def _connect_one(address: Address) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            sock.connect(address.where)
        except (BlockingIOError, InterruptedError):
            await trio.lowlevel.wait_writable(sock)  # noqa: ASYNC120  (that it would block is no failure)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error)) from None
    except BaseException:
        sock.close()
        raise
    return sock

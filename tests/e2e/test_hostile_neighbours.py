"""Clients that misbehave, fifty of each kind at a time, beside fifty that do not: the latter notice nothing.

The hostile ones go on for as long as the others call. Nothing is asked of what they get.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from random import random
from typing import Final

import attrs
import pytest
import trio

from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.conftest import Serve
from tests.e2e.fleet import Fleet
from tests.e2e.history import History, call_data
from tests.e2e.lasso import Lasso
from tests.e2e.load import Load, questions

EACH: Final = 50
CALLS: Final = 1_500
PATH: Final = "/rpc/load-balanced/anvil"
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@attrs.frozen
class Calls:
    """Bodies of calls by the size of their answers: some bytes, a hundred kilobytes, megabytes."""

    small: bytes
    medium: bytes
    large: bytes


Hostile = Callable[[Caller, Calls], Awaitable[None]]


async def never_reads(caller: Caller, calls: Calls) -> None:
    """Asks for more than the kernel will hold, and leaves it lying."""
    await caller.send(caller.request(calls.large) * 2)
    await trio.sleep_forever()


async def pipelines_and_never_reads(caller: Caller, calls: Calls) -> None:
    """Asks again and again until the kernel takes no more."""
    while True:
        await caller.send(caller.request(calls.small) * 20)


async def drips(caller: Caller, calls: Calls) -> None:
    """Sends a call byte by byte, and takes the answer as slowly."""
    for byte in caller.request(calls.medium):
        await caller.send(bytes([byte]))
        await trio.sleep(0.01)
    taken = b"."
    while taken:
        taken = await caller.sock.recv(1)
        await trio.sleep(0.01)


async def stops_in_the_head(caller: Caller, calls: Calls) -> None:
    await caller.send(caller.request(calls.small)[:60])
    await trio.sleep_forever()


async def stops_in_the_body(caller: Caller, calls: Calls) -> None:
    await caller.send(caller.request(calls.small)[:-20])
    await trio.sleep_forever()


async def vanishes(caller: Caller, calls: Calls) -> None:
    """Resets its connection with a call under way or its answer half taken."""
    caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    await caller.send(caller.request(calls.medium))
    await trio.sleep(random() * 0.02)


async def talks_nonsense(caller: Caller, calls: Calls) -> None:
    await caller.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500)
    await trio.sleep_forever()


KINDS: Final[tuple[Hostile, ...]] = (
    never_reads,
    pipelines_and_never_reads,
    drips,
    stops_in_the_head,
    stops_in_the_body,
    vanishes,
    talks_nonsense,
)


async def again_and_again(kind: Hostile, lasso: Lasso, calls: Calls) -> None:
    """One hostile client, on a new connection whenever the old one is over. Its window is small, so little fits."""
    while True:
        caller = await Caller.connect(lasso.port, PATH)
        caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        try:
            with contextlib.suppress(OSError, WrongAnswer):
                await kind(caller, calls)
        finally:
            caller.close()
        await trio.sleep(0.1)


def listing(history: History, words: int) -> bytes:
    """A call whose answer is a list of zeros."""
    call = f'{{"to":"{history.till}","data":"{call_data("list", words)}"}}'
    return f'{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{call},"latest"]}}'.encode()


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), KINDS], ids=[*(k.__name__ for k in KINDS), "together"])
async def test_good_clients_notice_nothing_of_bad_ones(
    fleet: Fleet, history: History, serve: Serve, kinds: tuple[Hostile, ...], say: Callable[[str], None]
) -> None:
    lasso = serve(fleet.urls)
    calls = Calls(*(listing(history, words) for words in (1, 2_000, 40_000)))
    load = Load(lasso.port, PATH, questions(fleet.first, history), CALLS, clients=50)
    async with trio.open_nursery() as nursery:
        for kind in kinds * EACH:
            nursery.start_soon(again_and_again, kind, lasso, calls)
        await trio.sleep(2.0)  # a head start for them; nothing depends on how far they come
        await load.run()
        nursery.cancel_scope.cancel()
    assert load.wrong == []
    assert load.right == CALLS
    say(f"{len(kinds) * EACH} hostile: the slowest call took {load.slowest_s:.2f} s, {lasso.resident_mib():.0f} MiB")

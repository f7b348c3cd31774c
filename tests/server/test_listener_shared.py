"""Several processes on one address: each has a socket of its own, and the kernel deals out connections."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from lasso_trio.server import listener as module
from lasso_trio.server.connection import Peer
from lasso_trio.server.listener import Listener, bind_shared, open_listeners
from lasso_trio.upstream.raw_stream import RawStream


async def accepted_by(listeners: list[Listener], connections: int) -> list[int]:
    counts = [0] * len(listeners)

    async def accept(which: int) -> None:
        def take(stream: trio.abc.Stream, _: Peer) -> None:
            assert isinstance(stream, RawStream)
            counts[which] += 1
            stream.close()

        await listeners[which].accept_into(take)

    async with trio.open_nursery() as nursery:
        for which in range(len(listeners)):
            nursery.start_soon(accept, which)
        for _ in range(connections):
            stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].port)
            await stream.aclose()
        with trio.fail_after(5):
            while sum(counts) < connections:  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    return counts


async def test_connections_are_spread_over_all_that_share() -> None:
    (first,) = await open_listeners("127.0.0.1", 0, shared=True)
    (second,) = await open_listeners("127.0.0.1", first.port, shared=True)
    counts = await accepted_by([first, second], 64)
    assert min(counts) >= 8


async def test_who_shares_does_not_join_one_that_is_alone() -> None:
    (alone,) = await open_listeners("127.0.0.1", 0)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {alone.port}"):
        await open_listeners("127.0.0.1", alone.port, shared=True)
    alone.close()


async def test_a_bound_socket_takes_no_connections_from_those_that_listen() -> None:
    (held,) = await bind_shared("127.0.0.1", 0)
    (listener,) = await open_listeners("127.0.0.1", held.getsockname()[1], shared=True)
    assert await accepted_by([listener], 16) == [16]
    held.close()


async def test_all_addresses_of_a_name_get_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(_: object, port: int, **__: object) -> list[object]:
        v4, v6 = ("127.0.0.1", port), ("::1", port, 0, 0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", v4), (socket.AF_INET6, socket.SOCK_STREAM, 0, "", v6)]

    monkeypatch.setattr(trio.socket, "getaddrinfo", both)
    first, second = await bind_shared("both.test", 0)
    assert first.getsockname()[1] == second.getsockname()[1] > 0
    first.close()
    second.close()


async def test_a_family_that_the_system_does_not_have_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return real(family, *rest)

    monkeypatch.setattr(module.socket, "socket", without)
    with pytest.raises(OSError, match="no family of this address"):
        await bind_shared("127.0.0.1", 0)

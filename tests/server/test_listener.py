from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest
import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server import listener as module
from lasso_trio.server.connection import Peer
from lasso_trio.server.listener import ACCEPTS_PER_WAKE, Listener, open_listeners, peer_of
from lasso_trio.upstream.raw_stream import RawStream


class Accepted:
    """Keeps what was admitted."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.came = trio.Event()

    def __call__(self, stream: trio.abc.Stream, peer: Peer) -> None:
        assert isinstance(stream, RawStream)
        stream.close()
        self.peers.append(peer)
        self.came.set()


async def test_connections_are_admitted_with_their_peer(nursery: trio.Nursery) -> None:
    (listener,) = await open_listeners("127.0.0.1", 0)
    accepted = Accepted()
    nursery.start_soon(listener.accept_into, accepted)
    clients = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(100)]
    with trio.fail_after(5):
        while len(accepted.peers) < 100:
            await accepted.came.wait()
            accepted.came = trio.Event()
    assert {peer.port for peer in accepted.peers} == {client.getsockname()[1] for client in clients}
    assert {peer.host for peer in accepted.peers} == {"127.0.0.1"}
    for client in clients:
        client.close()


async def test_cancelled_listener_takes_what_is_queued_and_closes(nursery: trio.Nursery) -> None:
    (listener,) = await open_listeners("127.0.0.1", 0)
    accepted = Accepted()
    many = ACCEPTS_PER_WAKE + 1
    with trio.CancelScope() as scope, ExitStack() as clients:
        scope.cancel()
        for _ in range(many):
            clients.enter_context(socket.create_connection(("127.0.0.1", listener.port)))
        await listener.accept_into(accepted)
    assert len(accepted.peers) == many
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream("127.0.0.1", listener.port)


async def test_a_cancelled_listener_ends_also_while_clients_come_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.WAKES_AT_END * ACCEPTS_PER_WAKE > module.BACKLOG
    monkeypatch.setattr(module, "WAKES_AT_END", 3)
    (listener,) = await open_listeners("127.0.0.1", 0)
    accepted = Accepted()

    def turn_away(stream: trio.abc.Stream, peer: Peer) -> None:
        accepted(stream, peer)
        assert len(accepted.peers) < 1_000, "it goes on for as long as they come"
        socket.create_connection(("127.0.0.1", listener.port)).close()

    with trio.CancelScope() as scope, socket.create_connection(("127.0.0.1", listener.port)):
        scope.cancel()
        await listener.accept_into(turn_away)
    assert len(accepted.peers) == 3 * ACCEPTS_PER_WAKE


async def test_port_in_use_is_an_error() -> None:
    (listener,) = await open_listeners("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await open_listeners("127.0.0.1", listener.port)
    listener.close()


class Failing(socket.socket):
    """A listening socket whose `accept` fails with the numbers it was given, then works."""

    errors: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            raise OSError(self.errors.pop(0), "injected")
        return super().accept()


def failing(*errors: int) -> Failing:
    sock = Failing(socket.AF_INET, socket.SOCK_STREAM)
    sock.errors = list(errors)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


async def test_overload_is_waited_out_and_logged_once(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lasso_trio.server.listener.OVERLOAD_PAUSE", 0.001)
    monkeypatch.setattr("lasso_trio.server.listener.log", structlog.get_logger())
    listener, accepted = Listener(failing(*[errno.EMFILE] * 5)), Accepted()
    with capture_logs() as logs, socket.create_connection(("127.0.0.1", listener.port)):
        nursery.start_soon(listener.accept_into, accepted)
        with trio.fail_after(5):
            await accepted.came.wait()
    assert [entry["event"] for entry in logs] == ["listener.overloaded"]


async def test_connection_that_died_in_the_queue_is_skipped(nursery: trio.Nursery) -> None:
    listener, accepted = Listener(failing(errno.ECONNABORTED, errno.EPROTO)), Accepted()
    with socket.create_connection(("127.0.0.1", listener.port)):
        nursery.start_soon(listener.accept_into, accepted)
        with trio.fail_after(5):
            await accepted.came.wait()


async def test_other_errors_are_raised() -> None:
    listener = Listener(failing(errno.EBADF))
    with socket.create_connection(("127.0.0.1", listener.port)), pytest.raises(OSError, match="injected"):
        await listener.accept_into(Accepted())
    await wait_all_tasks_blocked()


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("192.0.2.1", 5), Peer("192.0.2.1", 5)),
        (("2001:db8::1", 5, 0, 0), Peer("2001:db8::1", 5)),
        (("::ffff:192.0.2.1", 5, 0, 0), Peer("192.0.2.1", 5)),
        ("", Peer("127.0.0.1", 0)),
    ],
)
def test_address_is_written_as_clients_know_it(address: object, peer: Peer) -> None:
    assert peer_of(address) == peer

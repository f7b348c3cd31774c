"""Dialling for real, on loopback: plain and TLS, with a certificate authority made for the test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream.addresses import AddressBook, look_up
from lasso_trio.upstream.dial import Dialer
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import ConnectFault, Disconnected, ResolveFault, TlsFault
from lasso_trio.upstream.http1 import Pool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A TLS or plain server on loopback that answers each read with OK, and tells about its handshakes."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.context = context
        self.resumed: list[bool] = []
        self.server_names: list[str | None] = []
        self.alpn: list[str | None] = []
        self.port = 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self.serve, listeners)

    async def serve(self, stream: trio.abc.Stream) -> None:
        try:
            if self.context is not None:
                stream = await self.shake_hands(stream)
            while await stream.receive_some(65536):
                await stream.send_all(OK)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def shake_hands(self, stream: trio.abc.Stream) -> trio.SSLStream[trio.abc.Stream]:
        assert self.context is not None
        tls = trio.SSLStream(stream, self.context, server_side=True)
        await tls.do_handshake()
        self.resumed.append(tls.session_reused)
        self.alpn.append(tls.selected_alpn_protocol())
        return tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


Serve = Callable[[ssl.SSLContext | None], Awaitable[Server]]


@pytest.fixture
async def serve(authority: trustme.CA, nursery: trio.Nursery) -> AsyncIterator[Serve]:
    async def start(context: ssl.SSLContext | None) -> Server:
        server = Server(context)
        await nursery.start(server.run)
        return server

    yield start
    nursery.cancel_scope.cancel()


def tls_context(authority: trustme.CA, *names: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if version is not None:
        context.maximum_version = version
    return context


def pool_for(url: str, ca_file: str | None = None) -> Pool:
    endpoint = Endpoint.from_url(SecretUrl(url))
    book = AddressBook("127.0.0.1", endpoint.port)  # whatever the name: nothing leaves loopback
    return Pool(endpoint, dial=Dialer(endpoint, ca_file=ca_file, book=book).dial)


async def test_a_plain_exchange_on_a_real_socket(serve: Serve) -> None:
    server = await serve(None)
    pool = pool_for(f"http://127.0.0.1:{server.port}/")
    for _ in range(3):
        reply = await pool.exchange(b"{}", replay_safe=True)
        assert (reply.body, reply.timings.tls) == (b"ok", 0.0)
    assert (pool.counters.opened, pool.idle) == (1, 1)
    await pool.aclose()


async def test_names_are_resolved_and_timed(serve: Serve) -> None:
    server = await serve(None)
    endpoint = Endpoint.from_url(SecretUrl(f"http://localhost:{server.port}/"))
    dialled = await Dialer(endpoint).dial()
    assert dialled.resolve > 0
    assert dialled.connect > 0
    assert "localhost" in repr(Dialer(endpoint))
    await dialled.stream.aclose()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_is_verified_and_the_session_resumed(
    serve: Serve, authority: trustme.CA, ca_file: str, version: ssl.TLSVersion
) -> None:
    server = await serve(tls_context(authority, "rpc.test", version=version))
    pool = pool_for(f"https://rpc.test:{server.port}/", ca_file)
    first = await pool.exchange(b"{}", replay_safe=True)
    assert first.body == b"ok"
    assert first.timings.tls > 0
    assert (await pool.exchange(b"{}", replay_safe=True)).timings.tls == 0.0
    pool.expire(trio.current_time() + 1_000)
    for _ in range(2):
        assert (await pool.exchange(b"{}", replay_safe=True)).body == b"ok"
        pool.expire(trio.current_time() + 1_000)
    assert server.resumed == [False, True, True]
    assert set(server.alpn) == {"http/1.1"}
    await pool.aclose()


async def test_an_address_in_the_url_is_verified_as_one(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    server = await serve(tls_context(authority, "127.0.0.1"))
    pool = pool_for(f"https://127.0.0.1:{server.port}/", ca_file)
    assert (await pool.exchange(b"{}", replay_safe=True)).body == b"ok"
    await pool.aclose()


@pytest.mark.parametrize(("name", "trusted"), [("other.test", True), ("rpc.test", False)], ids=["name", "authority"])
async def test_a_wrong_name_or_an_unknown_authority_is_refused(
    serve: Serve, authority: trustme.CA, ca_file: str, name: str, trusted: bool
) -> None:
    server = await serve(tls_context(authority, "rpc.test"))
    pool = pool_for(f"https://{name}:{server.port}/secret", ca_file if trusted else None)
    with pytest.raises(TlsFault) as caught:
        await pool.exchange(b"{}", replay_safe=True)
    assert (caught.value.reason, caught.value.dispatched) == ("certificate", False)
    assert "secret" not in str(caught.value)
    assert (pool.busy, pool.idle) == (0, 0)


async def test_a_server_that_speaks_no_tls_is_a_tls_fault(serve: Serve, ca_file: str) -> None:
    server = await serve(None)
    pool = pool_for(f"https://rpc.test:{server.port}/", ca_file)
    with pytest.raises(TlsFault) as caught:
        await pool.exchange(b"{}", replay_safe=True)
    assert caught.value.reason == "handshake"


async def test_a_server_that_leaves_in_the_handshake_is_a_tls_fault(nursery: trio.Nursery, ca_file: str) -> None:
    async def leave(stream: trio.SocketStream) -> None:
        await stream.receive_some(10)
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, leave, [listener])
    pool = pool_for(f"https://rpc.test:{listener.socket.getsockname()[1]}/", ca_file)
    with pytest.raises(TlsFault) as caught:
        await pool.exchange(b"{}", replay_safe=True)
    assert caught.value.reason == "eof"
    nursery.cancel_scope.cancel()


async def test_a_cancelled_handshake_leaves_nothing_open(nursery: trio.Nursery, ca_file: str) -> None:
    come, left = trio.Event(), trio.Event()

    async def mute(stream: trio.SocketStream) -> None:
        while await stream.receive_some(65536):
            come.set()
        left.set()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, mute, [listener])
    pool = pool_for(f"https://rpc.test:{listener.socket.getsockname()[1]}/", ca_file)
    async with trio.open_nursery() as calls:
        calls.start_soon(partial(pool.exchange, b"{}", replay_safe=True))
        await come.wait()
        calls.cancel_scope.cancel()
    assert pool.busy == 0
    await left.wait()
    nursery.cancel_scope.cancel()


async def test_a_tls_peer_that_vanishes_between_calls_is_replaced(
    nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    context = tls_context(authority, "rpc.test")

    async def one_answer(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True)
        await tls.receive_some(65536)
        await tls.send_all(OK)
        await tls.receive_some(65536)
        await trio.aclose_forcefully(tls)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, one_answer, [listener])
    pool = pool_for(f"https://rpc.test:{listener.socket.getsockname()[1]}/", ca_file)
    assert (await pool.exchange(b"{}", replay_safe=True)).body == b"ok"
    assert (await pool.exchange(b"{}", replay_safe=True)).body == b"ok"
    assert pool.counters.retried == 1
    with pytest.raises(Disconnected):
        await pool.exchange(b"{}", replay_safe=False)
    await pool.aclose()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_an_idle_connection_that_the_peer_closed_is_noticed_before_it_is_used(
    nursery: trio.Nursery, authority: trustme.CA, ca_file: str, secure: bool
) -> None:
    """So a call that must not be repeated gets through all the same."""
    context, left = tls_context(authority, "rpc.test"), trio.Event()

    async def one_answer(stream: trio.abc.Stream) -> None:
        stream = trio.SSLStream(stream, context, server_side=True) if secure else stream
        await stream.receive_some(65536)
        await stream.send_all(OK)
        await trio.aclose_forcefully(stream)
        left.set()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, one_answer, [listener])
    pool = pool_for(f"http{'s' * secure}://rpc.test:{listener.socket.getsockname()[1]}/", ca_file)
    for _ in range(3):
        left = trio.Event()
        assert (await pool.exchange(b"{}", replay_safe=False)).body == b"ok"
        await left.wait()
        for connection in pool._idle:
            connection.idle_since -= 1  # long enough ago to be asked about
    assert (pool.counters.opened, pool.counters.retried, pool.counters.closed["stale"]) == (3, 0, 2)
    await pool.aclose()
    nursery.cancel_scope.cancel()


async def test_nobody_listening_is_a_connect_fault() -> None:
    with trio.socket.socket() as bound:
        await bound.bind(("127.0.0.1", 0))
        pool = pool_for(f"http://127.0.0.1:{bound.getsockname()[1]}/")
        with pytest.raises(ConnectFault) as caught:
            await pool.exchange(b"{}", replay_safe=True)
        assert caught.value.reason == "refused"
        assert caught.value.origin.startswith("http://127.0.0.1:")


async def test_a_name_that_does_not_resolve_is_a_resolve_fault() -> None:
    async def fail(host: str, port: int) -> list[object]:
        raise OSError("no such host")

    endpoint = Endpoint.from_url(SecretUrl("http://nowhere.test/"))
    book = AddressBook("nowhere.test", 80, look_up=fail)  # type: ignore[arg-type]
    with pytest.raises(ResolveFault):
        await Pool(endpoint, dial=Dialer(endpoint, book=book).dial).exchange(b"{}", replay_safe=True)
    assert look_up is not fail

"""One session with a simulated provider, over memory streams and in virtual time."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.devnet import Chain, Devnet, Faults, Provider
from lasso_trio.devnet.faults import Latency
from lasso_trio.upstream import websocket
from lasso_trio.upstream.dial import Dialer
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import ConnectFault
from lasso_trio.upstream.websocket import Ending, Life, Over, Socket, hold, upgrade_head, ws_endpoint

URL = SecretUrl("ws://user:word@node.example:8546/v3/some-key?token=hush")
ENDPOINT = ws_endpoint(URL, {"X-Key": Secret("hush")})
CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
Serve = Callable[[trio.StapledStream], Awaitable[None]]


def provider(faults: Faults | None = None) -> Provider:
    return Provider.make("one", Chain(start_height=10), faults or Faults())


async def held(serve: Serve, live: Callable[[Socket], Awaitable[None]], words: Sequence[bytes] = ()) -> Ending:
    """How a session with `serve` at its other end came to its end."""
    async with trio.open_nursery() as nursery:

        async def dial() -> Dialled:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(serve, theirs)
            return Dialled(ours)

        ending = await hold(ENDPOINT, dial, Life(live, lambda: words))
        nursery.cancel_scope.cancel()
    return ending


async def listen(socket: Socket) -> None:
    while True:
        await socket.receive()


def speaking(*frames: bytes) -> Serve:
    """A server that upgrades and then says bytes of ours."""

    async def serve(stream: trio.StapledStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += bytes(await stream.receive_some(65536))
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
        upgrade = b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
        await stream.send_all(upgrade % base64.b64encode(digest) + b"".join(frames))
        await trio.sleep_forever()

    return serve


async def asks_its_chain(socket: Socket, got: list[bytes]) -> None:
    await socket.send(CHAIN_ID)
    got.append(await socket.receive())


async def test_a_session_is_lived_and_ends_when_its_life_does(autojump_clock: object) -> None:
    got: list[bytes] = []
    node = provider()
    ending = await held(node.handle, lambda socket: asks_its_chain(socket, got), [CHAIN_ID])
    assert got == [b'{"jsonrpc":"2.0","id":1,"result":"0x7a69"}']
    assert (ending.reason, ending.opened, ending.graceful) == ("lost", True, False)
    assert not node.crashes


async def test_its_last_words_are_sent_before_it_is_closed_even_when_cancelled(autojump_clock: object) -> None:
    node = provider()
    async with trio.open_nursery() as nursery:

        async def dial() -> Dialled:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(node.handle, theirs)
            return Dialled(ours)

        with trio.move_on_after(1):
            await hold(ENDPOINT, dial, Life(listen, lambda: [CHAIN_ID]))
        await trio.testing.wait_all_tasks_blocked()
        assert (node.calls["eth_chainId"], node.open_connections) == (1, 0)
        nursery.cancel_scope.cancel()


async def test_a_refused_upgrade_ends_with_its_status_and_headers(autojump_clock: object) -> None:
    ending = await held(provider(Faults(ws_refuse_status=429)).handle, listen)
    assert (ending.reason, ending.code, ending.text, ending.opened) == ("refused", 429, "refused", False)


async def test_a_refusal_says_when_to_come_back(autojump_clock: object) -> None:
    async def serve(stream: trio.StapledStream) -> None:
        await stream.send_all(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno")
        await trio.sleep_forever()

    ending = await held(serve, listen)
    assert (ending.code, ending.header(b"retry-after"), ending.header(b"x")) == (429, b"7", None)


async def test_the_connection_is_closed_however_the_session_ends(autojump_clock: object) -> None:
    ends: list[bytes] = []

    async def serve(stream: trio.StapledStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
        ends.append(bytes(await stream.receive_some(65536)))

    async with trio.open_nursery() as nursery:

        async def dial() -> Dialled:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(serve, theirs)
            return Dialled(ours)

        assert (await hold(ENDPOINT, dial, Life(listen))).code == 503
    assert ends == [b""]


async def test_a_refusal_that_ends_with_its_connection_keeps_its_status(autojump_clock: object) -> None:
    async def serve(stream: trio.StapledStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 403 Go\r\nConnection: close\r\n\r\nbecause")
        await stream.aclose()

    ending = await held(serve, listen)
    assert (ending.reason, ending.code) == ("refused", 403)


async def test_who_hangs_up_during_the_upgrade_is_not_waited_for(autojump_clock: object) -> None:
    started = trio.current_time()
    ending = await held(lambda stream: stream.aclose(), listen)
    assert (ending.reason, trio.current_time()) == ("eof", started)


@pytest.mark.parametrize("where", ["dial", "upgrade"])
async def test_neither_a_dial_nor_an_upgrade_is_waited_for_for_ever(autojump_clock: object, where: str) -> None:
    async def dial() -> Dialled:
        if where == "dial":
            await trio.sleep_forever()
        return Dialled(trio.testing.memory_stream_pair()[0])

    assert (await hold(ENDPOINT, dial, Life(listen))).reason == "timed_out"
    assert trio.current_time() == 10


async def test_a_failed_dial_ends_with_its_fault() -> None:
    fault = ConnectFault("refused")

    async def dial() -> Dialled:
        raise fault

    ending = await hold(ENDPOINT, dial, Life(listen))
    assert (ending.reason, ending.fault, ending.opened) == ("dial", fault, False)


async def test_a_lost_connection_is_no_accident(autojump_clock: object) -> None:
    ending = await held(provider(Faults(ws_drop_after_s=3)).handle, listen)
    assert (ending.reason, ending.opened) == ("lost", True)
    assert trio.current_time() == 3


async def test_a_close_is_told_with_code_and_reason(autojump_clock: object) -> None:
    ending = await held(speaking(b"\x88\x06\x03\xf4done"), listen)
    assert (ending.reason, ending.code, ending.text, ending.graceful) == ("closed", 1012, "done", True)


async def test_text_and_binary_are_both_messages_and_fragments_are_joined(autojump_clock: object) -> None:
    got: list[bytes] = []

    async def live(socket: Socket) -> None:
        got.extend([await socket.receive() for _ in range(3)])

    await held(speaking(b"\x81\x02{}", b"\x82\x02[]", b"\x01\x02ab", b"\x89\x00", b"\x80\x02cd"), live)
    assert got == [b"{}", b"[]", b"abcd"]


async def test_a_message_of_a_megabyte_and_more_passes(autojump_clock: object) -> None:
    size = 3 * 1024 * 1024
    got: list[bytes] = []

    async def live(socket: Socket) -> None:
        got.append(await socket.receive())

    await held(speaking(b"\x81\x7f" + size.to_bytes(8, "big") + b"x" * size), live)
    assert len(got[0]) == size


async def test_too_large_a_message_ends_the_session(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LARGEST_MESSAGE", 100)
    ending = await held(speaking(b"\x81\x7d" + b"x" * 125), listen)
    assert (ending.reason, ending.code) == ("closed", 1009)


@pytest.mark.parametrize("frame", [b"\x81\x02\xff\xfe", b"\xf1\x02{}", b"\x83\x00", b"\x80\x02{}"])
async def test_what_breaks_the_protocol_ends_the_session(autojump_clock: object, frame: bytes) -> None:
    ending = await held(speaking(frame), listen)
    assert (ending.reason in ("lost", "closed"), ending.graceful) == (True, False)


async def test_a_peer_that_does_not_read_is_left(autojump_clock: object) -> None:
    class Deaf(trio.abc.SendStream):
        """Takes what is sent in the upgrade, and nothing after it."""

        def __init__(self, inner: trio.abc.SendStream) -> None:
            self.inner, self.first = inner, True

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            if not self.first:
                await trio.sleep_forever()
            self.first = False
            await self.inner.send_all(data)

        async def wait_send_all_might_not_block(self) -> None: ...

        def close(self) -> None: ...

        async def aclose(self) -> None: ...

    async def live(socket: Socket) -> None:
        await socket.send(CHAIN_ID)

    async with trio.open_nursery() as nursery:

        async def dial() -> Dialled:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(speaking(), theirs)
            return Dialled(trio.StapledStream(Deaf(ours.send_stream), ours.receive_stream))

        ending = await hold(ENDPOINT, dial, Life(live))
        assert (ending.reason, ending.text, trio.current_time()) == ("lost", "the peer does not read", 10)
        nursery.cancel_scope.cancel()


async def test_nothing_is_sent_after_a_send_that_was_cut(autojump_clock: object) -> None:
    seen = bytearray()

    class Slow(trio.abc.SendStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            seen.extend(data)
            if seen.count(b"\r\n\r\n") and not bytes(data).startswith(b"GET"):
                await trio.sleep(5)
            elif bytes(data).startswith(b"GET"):
                await inner.send_all(data)

        async def wait_send_all_might_not_block(self) -> None: ...

        def close(self) -> None: ...

        async def aclose(self) -> None: ...

    async def live(socket: Socket) -> None:
        with trio.move_on_after(1):
            await socket.send(CHAIN_ID)
        sizes.append(len(seen))

    sizes: list[int] = []
    ours, theirs = trio.testing.memory_stream_pair()
    inner = ours.send_stream

    async def dial() -> Dialled:
        return Dialled(trio.StapledStream(Slow(), ours.receive_stream))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaking(), theirs)
        await hold(ENDPOINT, dial, Life(live, lambda: [CHAIN_ID]))
        nursery.cancel_scope.cancel()
    assert sizes == [len(seen)]


async def test_what_its_life_raises_else_is_not_swallowed(autojump_clock: object) -> None:
    async def live(socket: Socket) -> None:
        raise AssertionError("a bug of ours")

    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await held(provider().handle, live)


async def test_a_life_may_say_why_it_ends(autojump_clock: object) -> None:
    async def live(socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, socket)
            raise Over(Ending("silent", opened=True))

    assert (await held(provider().handle, live)).reason == "silent"


async def test_the_upgrade_carries_the_credentials_and_nothing_of_a_post() -> None:
    host, target, headers = upgrade_head(ENDPOINT)
    assert (host, target) == ("node.example:8546", "/v3/some-key?token=hush")
    names = {name.lower() for name, _ in headers}
    assert names == {b"user-agent", b"authorization", b"x-key"}
    assert "hush" not in repr(ENDPOINT)


async def test_a_ws_url_without_tls_stays_without_it_and_one_with_it_keeps_it() -> None:
    assert (ENDPOINT.tls, ENDPOINT.port) == (False, 8546)
    secure = ws_endpoint(SecretUrl("wss://node.example/"), {})
    assert (secure.tls, secure.port) == (True, 443)


async def test_over_tls_both_directions_go_at_once(nursery: trio.Nursery, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    node = provider(Faults(latency=Latency.uniform(0, 5)))

    async def serve(stream: trio.SocketStream) -> None:
        await node.handle(trio.SSLStream(stream, context, server_side=True, https_compatible=True))

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    port = listeners[0].socket.getsockname()[1]
    endpoint = ws_endpoint(SecretUrl(f"wss://localhost:{port}/"), {})
    got: list[bytes] = []

    async def live(socket: Socket) -> None:
        async with trio.open_nursery() as both:
            both.start_soon(send_all, socket)
            got.extend([await socket.receive() for _ in range(50)])

    async def send_all(socket: Socket) -> None:
        for _ in range(50):
            await socket.send(CHAIN_ID)

    with trio.fail_after(5):
        await hold(endpoint, Dialer(endpoint, ca_file=str(tmp_path / "ca.pem")).dial, Life(live))
        stranger = await hold(endpoint, Dialer(endpoint).dial, Life(listen))
    assert len(got) == 50
    assert (stranger.reason, stranger.fault and stranger.fault.reason) == ("dial", "certificate")
    assert not node.crashes
    nursery.cancel_scope.cancel()


async def test_over_real_sockets_it_is_no_different() -> None:
    async with Devnet.open({"one": Faults()}) as net:
        endpoint = ws_endpoint(SecretUrl(net.ws_url("one")), {})
        got: list[bytes] = []
        with trio.fail_after(5):
            ending = await hold(endpoint, Dialer(endpoint).dial, Life(lambda socket: asks_its_chain(socket, got)))
        assert (len(got), ending.opened) == (1, True)

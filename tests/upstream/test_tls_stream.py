"""TLS for one user at a time, against trio's own TLS as the peer."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.raw_stream import NothingSent, RawStream, Woken
from lasso_trio.upstream.tls_stream import TlsStream

Pair = tuple[TlsStream, trio.SSLStream[RawStream]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def new_pair(authority: trustme.CA) -> Pair:
    client, server = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(client)
    authority.issue_cert("rpc.test").configure_cert(server)
    ours, theirs = (RawStream(sock) for sock in socket.socketpair())
    return TlsStream(ours, client, "rpc.test"), trio.SSLStream(theirs, server, server_side=True)


@pytest.fixture
async def pair(authority: trustme.CA) -> AsyncIterator[Pair]:
    stream, peer = new_pair(authority)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.do_handshake)
        await stream.shake_hands()
    yield stream, peer
    stream.close()
    peer.transport_stream.close()


async def test_bytes_go_both_ways(pair: Pair) -> None:
    stream, peer = pair
    assert stream.send_now(b"question") == len(b"question")
    assert await peer.receive_some(100) == b"question"
    await stream.send_all(b"more")
    assert await peer.receive_some(100) == b"more"
    await peer.send_all(b"answer")
    assert await stream.receive_some() == b"answer"
    assert "TLSv1.3" in repr(stream)


async def test_several_records_are_read_at_once(pair: Pair) -> None:
    stream, peer = pair
    for piece in (b"one ", b"two ", b"three"):
        await peer.send_all(piece)
    assert await stream.receive_some() == b"one two three"


async def test_what_does_not_fit_comes_with_the_next_read(pair: Pair) -> None:
    stream, peer = pair
    await peer.send_all(b"123456")
    assert await stream.receive_some(4) == b"1234"
    assert await stream.receive_some(4) == b"56"


async def test_large_ones_arrive_whole_in_both_directions(pair: Pair) -> None:
    stream, peer = pair
    payload = bytes(range(256)) * 12_000
    back = bytearray()

    async def echo() -> None:
        got = bytearray()
        while len(got) < len(payload):
            got += await peer.receive_some(65536)
        await peer.send_all(got)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        sent = stream.send_now(payload)
        assert sent == 0, "the kernel does not take it all at once"
        await stream.send_rest(payload, sent)
        while len(back) < len(payload):
            back += await stream.receive_some()
    assert bytes(back) == payload


async def test_a_cancelled_or_woken_read_loses_nothing(pair: Pair) -> None:
    stream, peer = pair
    with trio.move_on_after(0):
        await stream.receive_some()

    async def read() -> None:
        with pytest.raises(Woken):
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        stream.raw.wake()
    await peer.send_all(b"late")
    assert await stream.receive_some() == b"late"


async def test_a_goodbye_is_an_end_even_right_behind_the_data(pair: Pair) -> None:
    stream, peer = pair
    assert not stream.is_readable()
    await peer.send_all(b"last words")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.aclose)  # says goodbye and hangs up
        await wait_all_tasks_blocked()
        assert await stream.receive_some() == b"last words"
        assert stream.is_readable()
        assert await stream.receive_some() == b""
        assert await stream.receive_some() == b""


async def test_an_end_without_a_goodbye_is_broken(pair: Pair) -> None:
    stream, peer = pair
    await peer.send_all(b"cut")
    peer.transport_stream.close()
    assert await stream.receive_some() == b"cut"
    with pytest.raises(trio.BrokenResourceError) as caught:
        await stream.receive_some()
    assert isinstance(caught.value.__cause__, ssl.SSLEOFError)


async def test_garbage_is_broken(pair: Pair) -> None:
    stream, peer = pair
    await peer.transport_stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()


async def test_a_gone_peer_gets_nothing(pair: Pair) -> None:
    stream, peer = pair
    peer.transport_stream.close()
    with pytest.raises(NothingSent):
        stream.send_now(b"x")


async def test_an_idle_stream_is_readable_when_the_peer_has_something_to_say(pair: Pair) -> None:
    stream, peer = pair
    await stream.send_all(b"x")
    await peer.receive_some(10)
    await peer.send_all(b"y")
    await stream.receive_some()
    assert not stream.is_readable()
    peer.transport_stream.close()
    assert stream.is_readable()


async def test_closing_is_idempotent_and_closes_the_socket(pair: Pair) -> None:
    stream, _ = pair
    await stream.wait_send_all_might_not_block()
    stream.close()
    await stream.aclose()
    for refused in (stream.receive_some(), stream.send_all(b"x")):
        with pytest.raises(trio.ClosedResourceError):
            await refused


async def test_a_peer_that_leaves_in_the_handshake_is_an_ssl_error(authority: trustme.CA) -> None:
    stream, peer = new_pair(authority)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def leave() -> None:
            await peer.transport_stream.receive_some()
            peer.transport_stream.close()

        with pytest.raises((ssl.SSLEOFError, ssl.SSLZeroReturnError)):  # by Python's patch release
            await stream.shake_hands()
    stream.close()


async def test_a_wrong_name_is_an_ssl_error(authority: trustme.CA) -> None:
    stream, peer = new_pair(authority)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    stream = TlsStream(stream.raw, client, "other.test")
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def shake() -> None:
            with contextlib.suppress(trio.BrokenResourceError):  # it hears of our refusal, or not
                await peer.do_handshake()
                await peer.receive_some(1)

        with pytest.raises(ssl.SSLCertVerificationError):
            await stream.shake_hands()
        stream.close()
    peer.transport_stream.close()

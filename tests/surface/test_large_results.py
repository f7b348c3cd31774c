"""Large results flow through: bounded memory, the client's id wherever it stands, and no silent truncation."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Awaitable, Callable

import h11
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.devnet import Faults, Latency
from tests.surface.conftest import Client, Script, Start, Surface, rpc

Scripted = Callable[[Script], Awaitable[str]]

MIB = 1024 * 1024


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("client_id", ["x" * 40, 7, None, "é"])
async def test_a_result_of_megabytes_arrives_whole(surface: Surface, client_id: object) -> None:
    answer = await surface.ask("devnet_blob", 3 * MIB, id=client_id)
    assert answer.json == {"jsonrpc": "2.0", "id": client_id, "result": "x" * (3 * MIB)}
    assert int(answer["content-length"]) == len(answer.body)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","id":@,"result":"%b"}',
        b'{"id":@,"jsonrpc":"2.0","result":["%b"]}',
        b'{"jsonrpc":"2.0","result":"%b","id":@}',
        b' { "jsonrpc" : "2.0" , "result" : { "a" : "%b" } , "id" : @ }\n',
        b'{"odd":"%b","jsonrpc":"2.0","id":@,"result":true}',
        b'{"jsonrpc":"2.0","id":@,"result":"%b","odd":1}',
    ],
)
async def test_the_id_is_exchanged_wherever_it_stands(
    start: Start, scripted: Scripted, text: bytes, chunked: bool
) -> None:
    whole = text % (b"y\\u003c\xc3\xa9" * 100_000)

    async def answer_(id_: int, _: object, stream: trio.abc.Stream) -> None:
        body = whole.replace(b"@", b"%d" % id_)
        if chunked:
            pieces = b"".join(chunk(body[i : i + 50_000]) for i in range(0, len(body), 50_000))
            await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
        else:
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    surface = await start(upstreams={"odd": await scripted(answer_)})
    client = await surface.connect()
    for _ in range(2):  # the connections at both ends are whole afterwards
        answer = await client.request("POST", "/rpc/devnet", rpc("eth_getLogs", id="client's"))
        assert answer.body == whole.replace(b"@", b'"client\'s"')


@pytest.mark.parametrize("where", ["body", "headers"])
async def test_metadata_comes_with_a_large_result(surface: Surface, where: str) -> None:
    answer = await surface.ask("devnet_blob", MIB, path=f"/rpc/devnet?include_meta={where}")
    whole = answer.json
    assert whole["result"] == "x" * MIB
    assert ("lasso_meta" in whole, "x-lasso-meta" in answer) == (where == "body", where == "headers")


async def test_a_client_that_asks_for_gzip_gets_it(surface: Surface) -> None:
    answer = await surface.ask("devnet_blob", MIB, fields={"accept-encoding": "gzip"})
    assert answer["content-encoding"] == "gzip"
    assert len(answer.body) < MIB / 10
    assert json.loads(gzip.decompress(answer.body))["result"] == "x" * MIB


async def test_a_result_goes_on_although_its_calls_time_is_up(start: Start, scripted: Scripted) -> None:
    """The deadline is for the head of the answer; after that the upstream may not pause, but may take its time."""
    from lasso_trio.config.profile import MethodOverride, Routing

    going_on = trio.Event()

    async def slow(id_: int, _: object, stream: trio.abc.Stream) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"%b"}' % (id_, b"x" * 600_000)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body[:400_000]))
        await going_on.wait()
        await stream.send_all(body[400_000:])

    quick = Routing(method_overrides={"eth_getLogs": MethodOverride(timeout_ms=1000)})
    surface = await start(upstreams={"odd": await scripted(slow)}, chain={"routing": quick})
    client = await surface.connect()
    await client.stream.send_all(_request(rpc("eth_getLogs")))
    await client.receive_head()
    await trio.sleep(1.1)
    going_on.set()
    size = 0
    while isinstance(event := await client.event(), h11.Data):
        size += len(event.data)
    assert size > 600_000


def _request(body: bytes) -> bytes:
    return b"POST /rpc/devnet HTTP/1.1\r\nhost: node\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


# Answers that break off


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_result_that_breaks_off_is_a_broken_answer(start: Start, scripted: Scripted, chunked: bool) -> None:
    async def half(id_: int, _: object, stream: trio.abc.Stream) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"%b' % (id_, b"x" * MIB)
        framing = b"transfer-encoding: chunked" if chunked else b"content-length: 2000000"
        await stream.send_all(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing, chunk(body) if chunked else body))
        await stream.aclose()

    surface = await start(upstreams={"odd": await scripted(half)})
    client = await surface.connect()
    with pytest.raises((h11.RemoteProtocolError, trio.BrokenResourceError)):
        await client.request("POST", "/rpc/devnet", rpc("eth_getLogs"))
    assert surface.app.door.counters.broken_answers == 1
    assert (await surface.ask("eth_chainId")).status == 200


@pytest.mark.parametrize("tail", [b'"', b'"]', b'","id":999999}', b'"}garbage', b""])
async def test_a_result_with_a_wrong_end_is_a_broken_answer(start: Start, scripted: Scripted, tail: bytes) -> None:
    async def wrong(id_: int, _: object, stream: trio.abc.Stream) -> None:
        first = b'{"jsonrpc":"2.0",' if b"id" in tail else b'{"jsonrpc":"2.0","id":%d,' % id_
        body = b'%b"result":"%b%b' % (first, b"x" * MIB, tail)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    surface = await start(upstreams={"odd": await scripted(wrong)})
    client = await surface.connect()
    with pytest.raises((h11.RemoteProtocolError, trio.BrokenResourceError)):
        await client.request("POST", "/rpc/devnet", rpc("eth_getLogs"))


async def test_a_result_beyond_the_most_bytes_breaks_off(start: Start) -> None:
    surface = await start(settings={"max_response_bytes": MIB})
    client = await surface.connect()
    answer = await client.request("POST", "/rpc/devnet", rpc("devnet_blob", 2 * MIB))
    assert answer.error["code"] == -32000  # its length was declared, so it is known before anything was passed on


async def test_beyond_the_most_bytes_a_result_of_unknown_length_breaks_off(start: Start, scripted: Scripted) -> None:
    async def longer(id_: int, _: object, stream: trio.abc.Stream) -> None:
        first = chunk(b'{"jsonrpc":"2.0","id":%d,"result":"' % id_)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + first)
        for _ in range(40):
            await stream.send_all(chunk(b"x" * 65_536))

    surface = await start(upstreams={"odd": await scripted(longer)}, settings={"max_response_bytes": MIB})
    client = await surface.connect()
    with pytest.raises((h11.RemoteProtocolError, trio.BrokenResourceError)):
        await client.request("POST", "/rpc/devnet", rpc("eth_getLogs"))


# Clients that do not read


async def test_a_client_that_stops_reading_holds_the_upstream_back(start: Start, scripted: Scripted) -> None:
    """What is on the way is bounded by the sockets' buffers, whatever the size of the result."""
    sent = 0
    ended = trio.Event()

    async def endless(id_: int, _: object, stream: trio.abc.Stream) -> None:
        nonlocal sent
        start_of_it = chunk(b'{"jsonrpc":"2.0","id":%d,"result":"' % id_)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + start_of_it)
        piece = chunk(b"x" * 65_536)
        try:
            while sent < 100 * MIB:
                await stream.send_all(piece)
                sent += 65_536
        finally:
            ended.set()

    quiet = {"vm_metrics": False}  # nothing may tick while we wait for everything to be blocked
    surface = await start(upstreams={"odd": await scripted(endless)}, settings=quiet)
    client = await _narrow_client(surface)
    await client.stream.send_all(_request(rpc("eth_getLogs")))
    await client.receive_head()
    await wait_all_tasks_blocked(0.1)
    assert 0 < sent < 32 * MIB
    before = sent
    for _ in range(3):
        await client.event()
    assert (await surface.ask("eth_chainId")).status == 200
    await trio.aclose_forcefully(client.stream)
    with trio.fail_after(5):
        await ended.wait()  # the upstream connection is closed when the client goes
    assert sent < before + 32 * MIB


async def _narrow_client(surface: Surface) -> Client:
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    await sock.connect((surface.host, surface.port))
    stream = trio.SocketStream(sock)
    surface.opened.append(stream)
    return Client(stream)


async def test_others_are_served_while_a_large_result_is_on_its_way(start: Start) -> None:
    surface = await start(alpha=Faults(latency=Latency.constant(1)))
    slow = await _narrow_client(surface)
    await slow.stream.send_all(_request(rpc("devnet_blob", 8 * MIB)))
    await slow.receive_head()
    for _ in range(5):
        assert (await surface.ask("eth_blockNumber")).json["result"] == "0x3e8"

"""HTTP/2 clients that open their window late, or never: what is on the way to them is bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import h2.connection
import h2.settings
import trio
from trio.testing import wait_all_tasks_blocked

from tests.surface.conftest import Script, Start, Surface, rpc
from tests.surface.http2 import Http2Client

Scripted = Callable[[Script], Awaitable[str]]

MIB = 1024 * 1024
QUIET = {"vm_metrics": False}  # nothing may tick while we wait for everything to be blocked


async def _client(surface: Surface) -> Http2Client:
    """One whose window is shut."""
    stream = await trio.open_tcp_stream(surface.host, surface.port)
    surface.opened.append(stream)
    client = Http2Client(stream)
    shut = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0}
    client.connection.local_settings = h2.settings.Settings(client=True, initial_values=shut)
    await client.begin()
    return client


async def _ask(client: Http2Client, body: bytes) -> int:
    """The stream's id; its answer is not read."""
    stream_id = client.connection.get_next_available_stream_id()
    fields = [(":method", "POST"), (":path", "/rpc/devnet"), (":authority", "node"), (":scheme", "http")]
    client.connection.send_headers(stream_id, fields)
    client.connection.send_data(stream_id, body, end_stream=True)
    await client.stream.send_all(client.connection.data_to_send())
    return stream_id


async def test_a_shut_window_holds_the_upstream_back(start: Start, scripted: Scripted) -> None:
    sent, ended = 0, trio.Event()

    async def long(id_: int, _: object, stream: trio.abc.Stream) -> None:
        nonlocal sent
        head = b'{"jsonrpc":"2.0","id":%d,"result":"' % id_
        length = len(head) + 100 * MIB
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (length, head))
        try:
            while sent < 100 * MIB:
                await stream.send_all(b"x" * 65_536)
                sent += 65_536
        finally:
            ended.set()

    surface = await start(upstreams={"odd": await scripted(long)}, settings=QUIET)
    client = await _client(surface)
    await _ask(client, rpc("eth_getLogs"))
    await wait_all_tasks_blocked(0.1)
    assert 0 < sent < 32 * MIB
    assert sum(pool.busy for pool in surface.app.registry.pools()) == 1
    await trio.aclose_forcefully(client.stream)
    with trio.fail_after(5):
        await ended.wait()


async def test_an_answer_that_waited_for_the_window_arrives_whole(start: Start) -> None:
    surface = await start(settings=QUIET)
    client = await _client(surface)
    stream_id = await _ask(client, rpc("devnet_blob", MIB))
    await wait_all_tasks_blocked(0.05)
    connection = client.connection
    connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 4 * MIB})
    connection.increment_flow_control_window(4 * MIB)
    await client.stream.send_all(connection.data_to_send())
    answer = await client._receive(stream_id)
    assert answer.json["result"] == "x" * MIB
    assert all(pool.busy == 0 for pool in surface.app.registry.pools())

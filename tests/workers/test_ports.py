"""The parent's hold on a port: others cannot have it, workers can, and nobody is connected to it."""

from __future__ import annotations

import pytest
import trio

from lasso_trio.server.listener import open_listeners
from lasso_trio.workers.ports import Held


async def test_a_held_port_is_the_workers_and_nobody_elses() -> None:
    held = await Held.on("127.0.0.1", 0)
    assert held.port > 0
    assert held.urls() == [f"http://127.0.0.1:{held.port}"]
    with pytest.raises(OSError, match="onnect"):
        await trio.open_tcp_stream("127.0.0.1", held.port)
    listeners = [*await open_listeners("127.0.0.1", held.port, shared=True)]
    listeners += await open_listeners("127.0.0.1", held.port, shared=True)
    stream = await trio.open_tcp_stream("127.0.0.1", held.port)
    await stream.aclose()
    with pytest.raises(OSError, match="in use"):
        await open_listeners("127.0.0.1", held.port)
    for listener in listeners:
        listener.close()
    held.close()


async def test_a_second_node_does_not_join_the_first_unnoticed() -> None:
    held = await Held.on("127.0.0.1", 0)
    (listener,) = await open_listeners("127.0.0.1", held.port, shared=True)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {held.port}"):
        await Held.on("127.0.0.1", held.port)
    listener.close()
    held.close()


async def test_an_ipv6_address_is_spelt_as_a_url() -> None:
    held = await Held.on("::1", 0)
    assert held.urls() == [f"http://[::1]:{held.port}"]
    held.close()

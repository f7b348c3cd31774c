"""A door for operators: everything of the web application, and no calls."""

from __future__ import annotations

import httpx
import pytest
import trio
from quart_trio import QuartTrio
from structlog.testing import capture_logs

from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.ops_door import OpsDoor
from lasso_trio.supervision import Supervisor


def app() -> QuartTrio:
    made = QuartTrio("test", static_folder=None)

    @made.get("/hello")
    async def hello() -> str:
        return "hello"

    return made


async def opened(nursery: trio.Nursery) -> tuple[OpsDoor, str]:
    door = OpsDoor.of(app(), "127.0.0.1", 0, LaneLimits(), Supervisor())
    await nursery.start(door.web.run)
    await nursery.start(door.serve)
    return door, f"http://127.0.0.1:{door.listeners[0].port}"


async def test_it_serves_the_application_and_no_calls() -> None:
    async with trio.open_nursery() as nursery:
        with capture_logs() as logs:
            door, url = await opened(nursery)
        assert logs[-1]["listeners"] == [f"127.0.0.1 port {door.listeners[0].port}"]
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/hello")).text == "hello"
        async with httpx.AsyncClient(base_url=url) as client:  # by its first request it is in the calls' lane
            refused = await client.post("/rpc/eth", content=b"{}")
            assert refused.status_code == 404
            assert "x-request-id" in refused.headers
        nursery.cancel_scope.cancel()


async def test_drained_it_lets_nobody_in_and_ends() -> None:
    async with trio.open_nursery() as nursery:
        door, url = await opened(nursery)
        with trio.fail_after(5):
            await door.drain()
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient() as client:
                await client.get(f"{url}/hello")
        nursery.cancel_scope.cancel()


async def test_an_address_in_use_is_an_error() -> None:
    async with trio.open_nursery() as nursery:
        door, _ = await opened(nursery)
        other = OpsDoor.of(app(), "127.0.0.1", door.listeners[0].port, LaneLimits(), Supervisor())
        with pytest.raises(OSError, match="in use"):
            await other.serve()
        nursery.cancel_scope.cancel()

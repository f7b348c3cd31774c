"""Where the dashboard and the admin API are reached, on a node that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import structlog
import trio
from structlog.testing import capture_logs

from lasso_trio.app import App
from lasso_trio.config.access import AccessPolicy, Auth
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.config.settings import Mode, Settings

NOBODY = Provider("nobody", "Nobody", "1:nobody:0", SecretUrl("http://127.0.0.1:9"))
PROFILES = ProfileSet.of([Profile("public", "Public", (Chain("one", 1, "One", (NOBODY,)),))])
TOKEN = Secret("t" * 32)


@pytest.fixture(autouse=True)
def every_line() -> None:
    """Whatever level another test left."""
    structlog.reset_defaults()


@asynccontextmanager
async def node(profiles: ProfileSet = PROFILES, **settings: Any) -> AsyncIterator[App]:  # noqa: ANN401
    """Running, listening; stopped within."""
    app = App.make(Settings(**{"port": 0, "grace_s": 1.0, "probes": False, "admin_token": TOKEN, **settings}), profiles)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(app.run)
            yield app
            app.stop()
            await app.stopped.wait()


def port(app: App, *, own: bool = False) -> int:
    if own:
        assert app.operators.own is not None
        return app.operators.own.listeners[0].port
    return int(app.addresses[0].rpartition(":")[2])


async def status(of: int, path: str) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{of}{path}", headers={"authorization": f"Bearer {TOKEN.reveal()}"})
        return answer.status_code


async def test_usually_everything_is_on_one_port() -> None:
    async with node() as app:
        assert app.operators.own is None
        assert {path: await status(port(app), path) for path in ("/dashboard", "/admin/learned", "/api/health")} == {
            "/dashboard": 200,
            "/admin/learned": 200,
            "/api/health": 200,
        }
        assert "dashboard" in {child.name for child in app.supervisor.children}


async def test_on_a_port_of_their_own_operators_are_there_and_only_there() -> None:
    async with node(ops_port=0) as app:
        for path in ("/dashboard", "/dashboard/api/profiles", "/admin/learned"):
            assert (await status(port(app), path), await status(port(app, own=True), path)) == (404, 200)
        assert await status(port(app), "/api/health") == await status(port(app, own=True), "/api/ready") == 200
        async with httpx.AsyncClient() as client:
            call = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
            assert (await client.post(f"http://127.0.0.1:{port(app)}/rpc/one", json=call)).json()["result"] == "0x1"
            assert (await client.post(f"http://127.0.0.1:{port(app, own=True)}/rpc/one", json=call)).status_code == 404


async def test_figures_of_a_closed_profile_are_for_its_clients_and_on_the_operators_port_for_everybody() -> None:
    (open_,) = PROFILES.profiles.values()
    closed = ProfileSet.of([attrs.evolve(open_, access=AccessPolicy(Auth()))])
    for settings in ({}, {"ops_port": 0}):
        async with node(closed, **settings) as app:
            assert await status(port(app), "/api/metrics/one") == 401
            if settings:
                assert await status(port(app, own=True), "/api/metrics/one") == 200


async def test_switched_off_there_is_no_dashboard_and_nobody_collects() -> None:
    async with node(dashboard=False) as app:
        assert app.operators.dashboard is None
        assert await status(port(app), "/dashboard") == 404
        assert await status(port(app), "/admin/learned") == 200
        assert "dashboard" not in {child.name for child in app.supervisor.children}


async def view(app: App) -> trio.SocketStream:
    """A viewer that has got its first snapshot."""
    stream = await trio.open_tcp_stream("127.0.0.1", port(app))
    await stream.send_all(b"GET /dashboard/events/public HTTP/1.1\r\nhost: x\r\n\r\n")
    text = b""
    while b'data: {"tick":1' not in text:
        text += await stream.receive_some()
    assert text.startswith(b"HTTP/1.1 200")
    assert b"retry: 2000\n\n" in text
    return stream


async def test_a_viewer_gets_snapshots_and_leaves_nothing_behind_when_it_goes() -> None:
    async with node() as app:
        dashboard = app.operators.dashboard
        assert dashboard is not None
        stream = await view(app)
        assert len(dashboard.feed.viewers) == 1
        assert dashboard.board.activity.watching
        await stream.aclose()
        while dashboard.feed.viewers:  # noqa: ASYNC110  (nothing announces it from inside)
            await trio.sleep(0.01)
        assert not dashboard.board.activity.watching


async def test_a_viewer_does_not_hold_up_a_node_that_stops() -> None:
    async with node(grace_s=60.0) as app:  # longer than the test may last
        stream = await view(app)
        app.stop()
        text = b""
        while piece := await stream.receive_some():
            text += piece
        assert b"draining" in text
        await app.stopped.wait()
        await stream.aclose()


async def test_a_call_of_the_page_goes_the_way_of_all_calls() -> None:
    async with node() as app, httpx.AsyncClient() as client:
        ask = {"chain": "one", "method": "eth_chainId"}
        answer = await client.post(f"http://127.0.0.1:{port(app)}/dashboard/api/try", json=ask)
        assert answer.json()["outcome"]["result"] == '"0x1"'
        assert answer.json()["explain"]["answer"] == "local"


async def test_a_dashboard_open_to_the_world_is_shouted_about() -> None:
    with capture_logs() as logs:
        async with node(mode=Mode.PROD, host="0.0.0.0"):
            pass
    assert [line["log_level"] for line in logs if line["event"] == "dashboard.open"] == ["warning"]
    with capture_logs() as logs:
        async with node(mode=Mode.PROD, host="0.0.0.0", dashboard_password=Secret("long enough")):
            pass
    assert "dashboard.open" not in {line["event"] for line in logs}

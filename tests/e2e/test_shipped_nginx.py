"""TLS through a real nginx with the configuration that we ship: HTTP/2, WebSockets, whose call it is, what is private.

Clients call from different loopback addresses; nginx calls the proxy from 127.0.0.1 and says for whom. The providers
are simulated.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from tests.e2e import devnet, shipped_nginx, toolbox
from tests.e2e.conftest import Serve
from tests.e2e.full_bucket import BURST, LIMIT, in_time
from tests.e2e.lasso import Lasso
from tests.e2e.shipped_nginx import HOST, STRANGER, Front

TRUSTING: Final = {"LASSO_TRUSTED_PROXIES": "127.0.0.1/32"}
ALICE: Final = "127.0.0.21"
BOB: Final = "127.0.0.22"
FORGED: Final = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
ASK: Final = {"jsonrpc": "2.0", "id": "a-1", "method": "eth_chainId", "params": []}
ANSWER: Final = {"jsonrpc": "2.0", "id": "a-1", "result": "0x7a69"}


@attrs.frozen
class Stage:
    lasso: Lasso
    front: Front

    def client(self, source: str) -> httpx.AsyncClient:
        """A client over HTTP/2 that calls from `source`."""
        transport = httpx.AsyncHTTPTransport(verify=self.front.trust, http1=False, http2=True, local_address=source)
        return httpx.AsyncClient(transport=transport, base_url=self.front.url)

    async def statuses(self, source: str, calls: int = 1, headers: Mapping[str, str] = {}) -> list[int]:
        async with self.client(source) as client:
            return [(await client.post("/rpc/anvil", json=ASK, headers=headers)).status_code for _ in range(calls)]

    @asynccontextmanager
    async def websocket(self, source: str) -> AsyncIterator[WebSocketConnection]:
        plain = await trio.open_tcp_stream(HOST, self.front.port, local_address=source)
        stream = trio.SSLStream(plain, self.front.trust, server_hostname=HOST, https_compatible=True)
        async with trio.open_nursery() as nursery:
            forged = [(name.encode(), value.encode()) for name, value in FORGED.items()]
            socket = await wrap_client_stream(nursery, stream, HOST, "/ws/rpc/anvil", extra_headers=forged)
            async with socket:
                yield socket


Open = Callable[..., Stage]


@pytest.fixture
def stage(serve: Serve, tmp_path: Path) -> Iterator[Open]:
    """A proxy over a simulated provider, and nginx before it, with the environment that the configuration asks for."""
    with ExitStack() as stack:

        def start(env: Mapping[str, str] = TRUSTING) -> Stage:
            ops = toolbox.free_port()
            urls = stack.enter_context(devnet.running(100, {"one": 1000}))
            lasso = serve(urls, **LIMIT, env={"LASSO_OPS_PORT": str(ops), **env})
            return Stage(lasso, stack.enter_context(shipped_nginx.running(tmp_path / "front", lasso.port, ops)))

        yield start


async def asked(socket: WebSocketConnection) -> dict[str, Any]:
    await socket.send_message(json.dumps(ASK))
    answer: dict[str, Any] = json.loads(await socket.get_message())
    return answer


async def test_a_client_speaks_http_2_and_is_answered_through_tls(stage: Open) -> None:
    async with stage().client(ALICE) as client:
        reply = await client.post("/rpc/anvil", json=ASK)
    assert (reply.http_version, reply.status_code, reply.json()) == ("HTTP/2", 200, ANSWER)
    assert reply.headers["strict-transport-security"].startswith("max-age=")


async def test_a_key_in_the_path_is_not_written_into_its_log(stage: Open) -> None:
    opened = stage()
    async with opened.client(ALICE) as client:
        for path in ("/rpc/k/lasso_a_hidden/anvil?x=1", "/ws/rpc/k/hidden.hidden/anvil", "/rpc/k/hidden", "/rpc/anvil"):
            await client.post(path, json=ASK)
    with trio.fail_after(60):
        while (text := opened.front.log.read_text()).count("\n") < 4:  # noqa: ASYNC110  (a line may come after its answer)
            await trio.sleep(0.01)
    assert "hidden" not in text
    asked_for = [line.split('"')[1] for line in text.splitlines()]
    assert asked_for == [
        f"POST {path} HTTP/2.0" for path in ("/rpc/k/***/anvil?x=1", "/ws/rpc/k/***/anvil", "/rpc/k/***", "/rpc/anvil")
    ]


async def test_who_comes_without_tls_is_sent_to_it_with_the_method_kept(stage: Open) -> None:
    front = stage().front
    async with httpx.AsyncClient() as client:
        reply = await client.post(f"http://{HOST}:{front.plain}/rpc/anvil?a=1", json=ASK)
    assert (reply.status_code, reply.headers["location"]) == (308, f"https://{HOST}/rpc/anvil?a=1")


async def test_a_websocket_is_upgraded_through_tls_and_its_calls_are_counted_to_its_client(stage: Open) -> None:
    opened = stage()

    async def alices() -> list[dict[str, Any]]:
        async with opened.websocket(ALICE) as socket:
            return [await asked(socket) for _ in range(BURST + 1)]

    answers = await in_time(alices)
    assert answers[:BURST] == [ANSWER] * BURST
    assert answers[BURST]["error"]["message"].startswith("Rate limit exceeded")
    async with opened.websocket(BOB) as socket:
        assert await asked(socket) == ANSWER


async def test_behind_it_each_client_has_a_limit_of_its_own_whatever_its_headers_claim(stage: Open) -> None:
    opened = stage()

    async def alices() -> list[int]:
        others = {"X-Forwarded-For": "198.51.100.7, 203.0.113.10"}
        return await opened.statuses(ALICE, BURST, FORGED) + await opened.statuses(ALICE, 1, others)

    assert await in_time(alices) == [200] * BURST + [429]
    assert await opened.statuses(BOB) == [200]


async def test_who_goes_past_it_is_not_believed(stage: Open) -> None:
    lasso = stage({"LASSO_TRUSTED_PROXIES": "127.0.0.9/32"}).lasso  # nginx' address is another one, and so is Alice's
    transport = httpx.AsyncHTTPTransport(local_address=ALICE)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}:{lasso.port}") as client:
        claims = [{**FORGED, "X-Forwarded-For": f"203.0.113.{n}"} for n in range(BURST + 1)]

        async def alices() -> list[int]:
            return [(await client.post("/rpc/anvil", json=ASK, headers=claim)).status_code for claim in claims]

        assert await in_time(alices) == [200] * BURST + [429]


async def test_a_proxy_that_nobody_trusts_is_the_client_itself(stage: Open) -> None:
    opened = stage({})

    async def both() -> list[int]:
        return await opened.statuses(ALICE, BURST) + await opened.statuses(BOB)

    assert await in_time(both) == [200] * BURST + [429]


async def test_operators_reach_their_pages_through_it_and_strangers_only_the_health(stage: Open) -> None:
    paths = ("/dashboard", "/metrics", "/api/health", "/api/ready")
    opened = stage()
    async with opened.client(ALICE) as operator, opened.client(STRANGER) as stranger:
        assert [(await operator.get(path)).status_code for path in paths] == [200] * 4
        assert [(await stranger.get(path)).status_code for path in paths] == [404, 404, 200, 200]
        assert (await stranger.get("/dashboard")).json() == {"errors": {"detail": "Not Found"}}
        assert (await operator.post("/api/cluster/snapshot")).status_code == 404


async def test_a_body_beyond_the_limit_is_refused_by_the_proxy_in_its_own_words(stage: Open) -> None:
    async with stage().client(ALICE) as client:
        reply = await client.post("/rpc/anvil", content=b" " * 8_000_001)
    assert reply.status_code == 413
    assert reply.json()["error"]["code"]

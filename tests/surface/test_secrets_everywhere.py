"""The keys of everybody: providers', the operator's and clients', in one node before providers that fail in every way
and repeat what they were sent. Then every output there is, one after the other: not one key in any of them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

from tests.e2e import otlp
from tests.e2e.otlp import Collector
from tests.surface.test_secrets import MARK, Node, addresses, environment, found_in, lasso, profile, run_node

__all__ = ["addresses"]

PASSWORD, TOKEN = f"{MARK}dashboardpassword", f"{MARK}admintoken0123456789"
OPERATORS = {
    "LASSO_DASHBOARD_PASSWORD": PASSWORD,
    "LASSO_ADMIN_TOKEN": TOKEN,
    "SECRET_KEY_BASE": MARK + "k" * 64,
    "LASSO_REDIS_URL": f"redis://{MARK}user:{MARK}redispassword@127.0.0.1:9/0",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={MARK}otlp",
}
CLIENTS = "".join(
    f"{name}: {MARK}client0123456789{name.lower()}\r\n"
    for name in ("Cookie", "X-Api-Key", "X-Lasso-Api-Key", "Proxy-Authorization", "X-Auth-Token")
)
CLIENTS += f"Authorization: Bearer {MARK}client0123456789\r\n"
METHODS = ("eth_blockNumber", "eth_gasPrice", "eth_sendRawTransaction")
SSE_S = 3.0


@attrs.frozen
class Heard:
    """What a node said to its clients, printed, and sent to its collector."""

    node: Node
    output: bytes
    collector: Collector

    def said_to(self, target: str) -> bytes:
        return b"".join(answer for asked, answer in self.node.said if target in asked)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp.running() as running:
        yield running


@pytest.fixture
async def everything(addresses: Mapping[str, str], nursery: trio.Nursery) -> dict[str, str]:
    """Providers, and one that sends callers elsewhere, keys and all."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, elsewhere, [listener])
    return {**addresses, "elsewhere": f"127.0.0.1:{listener.socket.getsockname()[1]}"}


async def elsewhere(stream: trio.SocketStream) -> None:
    """Redirects to itself, with the request's own target."""
    async with stream:
        head = b""
        while b"\r\n\r\n" not in head and (data := await stream.receive_some()):
            head += data
        target = head.split(b" ")[1] if head.count(b" ") > 1 else b"/"
        where = b"http://u:p@other.test" + target
        body = b"moved to " + where
        await stream.send_all(
            b"HTTP/1.1 302 Found\r\nlocation: %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (where, len(body), body)
        )


async def hear(tmp_path: Path, everything: Mapping[str, str], collector: Collector) -> Heard:
    (tmp_path / "public.yml").write_text(profile(everything))
    tls = {name: where for name, where in everything.items() if name in ("good", "nobody", "resets")}
    (tmp_path / "tls.yml").write_text(profile(tls, scheme="https"))

    async def ask(node: Node) -> None:
        async with trio.open_nursery() as nursery:
            for name in everything:
                nursery.start_soon(call, node, name)
                nursery.start_soon(subscribe, node, name)
            for name in tls:
                nursery.start_soon(node.call, f"/rpc/profile/tls/{name}?include_meta=body", "eth_gasPrice", CLIENTS)
            nursery.start_soon(look, node)
        await operate(node, list(everything))

    env = {**OPERATORS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "LASSO_PROBES": "on"}
    node, output = await run_node(tmp_path, "json", ask, **env)
    return Heard(node, output, collector)


async def call(node: Node, name: str) -> None:
    for method in METHODS:
        await node.call(f"/rpc/{name}?include_meta=body", method, CLIENTS)
        await node.call(f"/rpc/{name}", method, CLIENTS + "x-lasso-include-meta: headers\r\n")
        await node.call(f"/rpc/{name}?explain=1", method, CLIENTS)
    await node.call(f"/rpc/k/{MARK}inpath0123456789/{name}?token={MARK}", fields=CLIENTS)
    await node.exchange("POST", f"/rpc/{name}", b"{not json", CLIENTS)


async def subscribe(node: Node, name: str) -> None:
    """Over a WebSocket: a call, and a stream that nobody may be able to feed."""
    url = f"ws://127.0.0.1:{node.port}/ws/rpc/{name}"
    fields = [(b"authorization", f"Bearer {MARK}client0123456789".encode()), (b"cookie", f"a={MARK}".encode())]
    try:
        async with open_websocket_url(url, extra_headers=fields) as socket:
            for method, params in (("eth_gasPrice", []), ("eth_subscribe", ["newHeads"])):
                request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                await socket.send_message(json.dumps(request))
                with trio.move_on_after(SSE_S):
                    node.said.append((f"WS {url}", (await socket.get_message()).encode()))
    except (ConnectionClosed, HandshakeError) as closed:
        node.said.append((f"WS {url}", repr(closed).encode()))


async def look(node: Node) -> None:
    """The dashboard's login, refused and granted, its page, its events while calls go by, and its figures."""
    await node.exchange("POST", "/dashboard/login", f"password={MARK}wrongpassword".encode(), FORM)
    await node.exchange("POST", "/dashboard/login", f"password={PASSWORD}".encode(), FORM)
    cookie = cookie_of(node)
    with trio.move_on_after(SSE_S):
        await listen(node, cookie)
    await node.exchange("GET", "/dashboard/public", fields=cookie)


FORM = "content-type: application/x-www-form-urlencoded\r\n"


def cookie_of(node: Node) -> str:
    found = [re.search(rb"set-cookie: ([^;]+)", answer, re.IGNORECASE) for _, answer in node.said]
    return f"cookie: {next(match[1] for match in found if match).decode()}\r\n"


async def listen(node: Node, cookie: str) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", node.port)
    async with stream:
        await stream.send_all(f"GET /dashboard/events/public HTTP/1.1\r\nhost: node\r\n{cookie}\r\n".encode())
        while data := await stream.receive_some():
            node.said.append(("GET /dashboard/events", data))


async def operate(node: Node, names: list[str]) -> None:
    """Everything an operator may read, and a few orders."""
    cookie, token = cookie_of(node), f"authorization: Bearer {TOKEN}\r\n"
    api = "/dashboard/api"
    for page in ("profiles", "system", "public/snapshot", "public/issues", "public/streams", "public/races"):
        await node.exchange("GET", f"{api}/{page}", fields=cookie)
    for name in names:
        for page in (f"chains/{name}", f"chains/{name}/providers/{name}", f"metrics/{name}", f"series/{name}"):
            await node.exchange("GET", f"{api}/public/{page}", fields=cookie)
        await node.exchange("GET", f"/api/metrics/{name}")
        for carry_out in (True, False):
            ask = {"profile": "public", "chain": name, "method": METHODS[0], "params": [], "carry_out": carry_out}
            await node.exchange(
                "POST", f"{api}/try", json.dumps(ask).encode(), f"{cookie}content-type: application/json\r\n"
            )
    for target in ("/", "/metrics", "/api/health", "/api/ready", "/api/chains", "/api/cluster", f"/api/x?key={MARK}"):
        await node.exchange("GET", target, fields=CLIENTS)
    for target in ("/admin/providers", "/admin/learned"):
        await node.exchange("GET", target, fields=token)
        await node.exchange("GET", target, fields=f"authorization: Bearer {MARK}nottheone\r\n")
    await node.exchange("POST", "/admin/reload", fields=token)
    await node.exchange("POST", f"/admin/providers/public/{names[0]}/{names[0]}/cordon", fields=token)


async def test_nobodys_key_is_in_any_output_of_a_node(
    tmp_path: Path, everything: Mapping[str, str], collector: Collector
) -> None:
    heard = await hear(tmp_path, everything, collector)
    assert len(heard.collector.spans) > len(everything)
    assert b"lasso_" in heard.said_to("/metrics")
    assert b"data:" in heard.said_to("/dashboard/events")
    assert b"outcome" in heard.said_to("/dashboard/api/try")
    assert b"HTTP/1.1 200" in heard.said_to("/admin/learned")
    assert b"max_block_range" in heard.said_to("explain=1")
    assert heard.output.count(b"rpc.request.completed") > len(everything)
    assert found_in(heard.output) == []
    assert {target: found_in(answer) for target, answer in heard.node.said if found_in(answer)} == {}
    assert [found for body in heard.collector.bodies if (found := found_in(body))] == []


@pytest.mark.parametrize("command", ["validate", "dump"])
def test_no_key_of_the_operator_is_in_what_the_commands_print(tmp_path: Path, command: str) -> None:
    (tmp_path / "public.yml").write_text(profile({"good": "rpc.test:8545"}))
    done = lasso_with(tmp_path, command, str(tmp_path), **OPERATORS)
    assert done.returncode == 0, done.stderr
    assert found_in(done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"LASSO_REDIS_URL": f"ftp://{MARK}:{MARK}@h:port/x"},
        {"LASSO_REDIS_URL": f"redis://:{MARK}@h:99999999/{MARK}"},
        {"LASSO_DASHBOARD_PASSWORD": "x", "LASSO_DASHBOARD_USERS": f"ann:{MARK}pass,ann:{MARK}pass,{MARK}pass"},
        {"SECRET_KEY_BASE": MARK, "LASSO_ENV": "prod"},
        {"LASSO_ADMIN_TOKEN": MARK},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{MARK}://{MARK}@h"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{MARK}:{MARK}@h:x/{MARK}"},
    ],
)
def test_no_key_is_in_what_is_said_of_a_wrong_environment(tmp_path: Path, wrong: dict[str, str]) -> None:
    (tmp_path / "public.yml").write_text(profile({"good": "rpc.test:8545"}))
    done = lasso_with(tmp_path, "validate", str(tmp_path), **wrong)
    assert done.returncode == 2, done.stdout
    assert found_in(done.stdout + done.stderr) == []


async def test_no_key_is_in_what_a_probe_shows(tmp_path: Path, everything: Mapping[str, str]) -> None:
    (tmp_path / "public.yml").write_text(profile(everything))
    for form in ("--json", "--level=critical"):
        command = ("probe", "--all", "--profiles", str(tmp_path), "--timeout", "1", "--wait", "1", "--samples", "1",
                   "--rps", "1000", "--only", "head,latency,websocket", form)  # fmt: skip
        done = await trio.to_thread.run_sync(partial(lasso, *command, cwd=tmp_path))
        assert b"good" in done.stdout
        assert found_in(done.stdout + done.stderr) == []


def lasso_with(cwd: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "lasso_trio", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, check=False)

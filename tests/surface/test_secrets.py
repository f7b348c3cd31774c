"""Keys are seen by their provider and by nobody else: a real node, keys in every place a profile has for them, every
way an upstream can fail, and not one of the keys in anything the node says to anyone.

The node is a process of its own, so that its whole output is looked at: logs of every level in both formats, and
tracebacks.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs
import h11
import pytest
import trio

from lasso_trio.app import App
from lasso_trio.config.loader import load_profiles
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from lasso_trio.devnet import Devnet, Failure, Faults, Kind
from lasso_trio.errors import ConfigError

ROOT = Path(__file__).parents[2]
MARK = "sEkReT"
KEYS = {name: f"{MARK}{name.lower().replace('_', '')}0123456789" for name in ("PATH_KEY", "QUERY_KEY", "USER", "WORD")}
KEYS |= {name: f"{MARK}{name.lower().replace('_', '')}0123456789" for name in ("API_KEY", "HEADER_KEY", "AUTH_KEY")}
BATCH = b'[{"jsonrpc":"2.0","id":1,"method":"eth_call"}]'
FORBIDDEN = (MARK.encode(), MARK.lower().encode(), base64.b64encode(f"{KEYS['USER']}:{KEYS['WORD']}".encode()))

FAILING = {
    "resets": Faults(failures=(Failure(Kind.RESET),)),
    "garbage": Faults(failures=(Failure(Kind.GARBAGE),)),
    "truncated": Faults(failures=(Failure(Kind.TRUNCATED),)),
    "throttled": Faults(failures=(Failure(Kind.HTTP, status=429, retry_after_s=0),)),
    "broken": Faults(failures=(Failure(Kind.HTTP, status=502),)),
    "unauthorised": Faults(failures=(Failure(Kind.HTTP, status=401),)),
    "silent": Faults(failures=(Failure(Kind.HANG),)),
    "wrong": Faults(failures=(Failure(Kind.WRONG_ID),)),
    "good": Faults(),
}
PROVIDER = """\
      - id: {name}
        url: {scheme}://${{USER}}:${{WORD}}@{where}/v2/${{PATH_KEY}}?apikey=${{QUERY_KEY}}&x=1
        ws_url: ws://${{USER}}:${{WORD}}@{where}/ws/${{PATH_KEY}}?token=${{QUERY_KEY}}
        {credential}
        headers: {{X-Extra: "${{HEADER_KEY}}"}}
"""
METHODS = ("eth_blockNumber", "eth_gasPrice", "eth_sendRawTransaction", "eth_call")
PATIENCE = "routing:\n  method_overrides:\n" + "".join(f"    {method}: {{timeout_ms: 1000}}\n" for method in METHODS)
CREDENTIALS = ("api_key: ${API_KEY}", 'auth_headers: {Authorization: "Token ${AUTH_KEY}", X-Key: "${AUTH_KEY}"}')


def profile(addresses: Mapping[str, str], *, scheme: str = "http") -> str:
    """One chain, named like its provider, for each address."""
    chains = [
        f"  {name}:\n    chain_id: {number}\n    providers:\n"
        + PROVIDER.format(name=name, scheme=scheme, where=where, credential=CREDENTIALS[number % 2])
        for number, (name, where) in enumerate(addresses.items(), 1)
    ]
    return "rps_limit: 10000\nburst_limit: 10000\n" + PATIENCE + "chains:\n" + "".join(chains)


@pytest.fixture
async def addresses(nursery: trio.Nursery) -> dict[str, str]:
    """`host:port` by name: providers that fail in every way, and what is no provider at all."""
    net = Devnet.make(FAILING)
    await nursery.start(net.run)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, parrot, [listener])
    (closed,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nobody = closed.socket.getsockname()[1]
    await closed.aclose()
    parrots = f"127.0.0.1:{listener.socket.getsockname()[1]}"
    return {name: net.url(name).removeprefix("http://") for name in FAILING} | {
        "nobody": f"127.0.0.1:{nobody}",
        "parrot": parrots,
        "shouting": parrots,
    }


async def parrot(stream: trio.SocketStream) -> None:
    """Refuses every request and repeats it, keys and all: in an error object, or as a page for who has another id."""
    connection = h11.Connection(h11.SERVER)
    head, body = b"", b""
    async with stream:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65_536))
            elif isinstance(event, h11.Request):
                head = event.target + b" " + b" ".join(name + b": " + value for name, value in event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return
        call = json.loads(body or b'{"id": null, "method": "an upgrade"}')
        error = {"code": -32001, "message": f"unauthorized: http://h{head.decode()}", "data": head.decode()}
        text = json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}).encode()
        if call["method"] == "eth_gasPrice":
            text = b"<html>" + head
        await stream.send_all(
            b"HTTP/1.1 401 %b\r\nconnection: close\r\nx-echo: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (head, head, len(text), text)
        )


@attrs.define
class Node:
    """A node in a process of its own, and everything it said to its clients."""

    port: int
    said: list[tuple[str, bytes]] = attrs.field(factory=list)

    async def exchange(self, method: str, target: str, body: bytes = b"", fields: str = "") -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            head = f"{method} {target} HTTP/1.0\r\nhost: node\r\n{fields}content-length: {len(body)}\r\n\r\n"
            await stream.send_all(head.encode() + body)
            answer = b""
            while data := await stream.receive_some():
                answer += data
        assert answer.startswith(b"HTTP/1."), answer
        self.said.append((f"{method} {target}", answer))

    async def call(self, target: str, method: str = "eth_blockNumber", fields: str = "") -> None:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": []}
        await self.exchange("POST", target, json.dumps(call).encode(), fields)


Ask = Callable[[Node], Awaitable[None]]


def environment(**more: str) -> dict[str, str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("LASSO_", "PHX_"))}
    return (
        usual
        | KEYS
        | {"PYTHONPATH": str(ROOT), "LASSO_LOG_LEVEL": "debug", "LASSO_GRACE_S": "1", "LASSO_PROBES": "off"}
        | more
    )


def found_in(text: bytes) -> list[bytes]:
    """Lines that hold a key."""
    return [line for line in text.splitlines() if any(word in line or word in line.lower() for word in FORBIDDEN)]


async def run_node(directory: Path, log_format: str, ask: Ask, **more: str) -> tuple[Node, bytes]:
    """Start a node, let `ask` talk to it, stop it; what it said to clients, and all of its output.

    `more`: of its environment.
    """
    command = [sys.executable, "-m", "lasso_trio", "serve", "--port", "0", "--profiles", str(directory)]
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            command,
            env=environment(LASSO_LOG_FORMAT=log_format, **more),
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, listening = bytearray(), trio.Event()

        @nursery.start_soon
        async def read() -> None:
            async for piece in process.stdout:
                output.extend(piece)
                if b"node.ready" in output and b"\n" in output.split(b"node.ready", 1)[1]:
                    listening.set()
            listening.set()

        try:
            await listening.wait()
            assert b"node.ready" in output, output.decode()
            address = output.split(b"node.ready", 1)[1].split(b"http://127.0.0.1:")[1]
            node = Node(int(address.split(b"]")[0].strip(b"'\"")))
            await ask(node)
            process.terminate()
            assert await process.wait() == 0
        finally:
            process.kill()
    return node, bytes(output)


@pytest.mark.parametrize("log_format", ["json", "pretty"])
async def test_no_key_is_in_logs_or_in_what_clients_are_told(
    tmp_path: Path, addresses: Mapping[str, str], log_format: str
) -> None:
    (tmp_path / "public.yml").write_text(profile(addresses))
    tls = {name: where for name, where in addresses.items() if name in ("good", "nobody", "resets")}
    (tmp_path / "tls.yml").write_text(profile(tls, scheme="https"))

    async def ask(node: Node) -> None:
        async with trio.open_nursery() as nursery:
            for name in addresses:
                for target in (
                    f"/rpc/{name}?include_meta=body",
                    f"/rpc/fastest/{name}",
                    f"/rpc/provider/{name}/{name}",
                ):
                    nursery.start_soon(node.call, target, "eth_blockNumber", "x-lasso-include-meta: headers\r\n")
                nursery.start_soon(node.call, f"/rpc/{name}", "eth_gasPrice")
                nursery.start_soon(node.call, f"/rpc/{name}", "eth_sendRawTransaction")
                nursery.start_soon(node.exchange, "POST", f"/rpc/{name}", BATCH)
            for name in tls:
                nursery.start_soon(node.call, f"/rpc/profile/tls/{name}?include_meta=body")
        for target in ("/", "/metrics", "/api/health", "/api/ready", "/api/chains", "/api/x", "/api/metrics/nothing"):
            await node.exchange("GET", target)
        for name in addresses:
            await node.exchange("GET", f"/api/metrics/{name}")
        for name in tls:
            await node.exchange("GET", f"/api/metrics/{name}?profile=tls")

    node, output = await run_node(tmp_path, log_format, ask)
    assert output.count(b"eth_gasPrice") >= len(addresses)
    assert any(b'"result":"0x' in answer for _, answer in node.said)
    assert any(b"unauthorized: http" in answer and b"***" in answer for _, answer in node.said)
    assert found_in(output) == []
    assert {target: answer for target, answer in node.said if found_in(answer)} == {}


def test_no_key_is_in_what_the_commands_print(tmp_path: Path) -> None:
    directory = tmp_path / "profiles"
    directory.mkdir()
    (directory / "public.yml").write_text(profile({"good": "rpc.test:8545"}, scheme="https"))
    for command in ("validate", "dump"):
        done = lasso(command, str(directory), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert found_in(done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    "mistake",
    [
        "url: ftp://h/${PATH_KEY}",
        "url: https://h:${PATH_KEY}/x",
        "url: https://${PATH_KEY} /x",
        "url: ${PATH_KEY}",
        'url: "https://h/${PATH_KEY}\\n"',
        f"url: wss://h/{MARK}?k={MARK}",
        f"url: {MARK}",
        f"url: https://h:{MARK}/x",
        f"url: 'https://{MARK}:{MARK}@h/ x'",
        "{url: https://h, api_key: [${API_KEY}]}",
        "url: https://h\n        api_key: ${API_KEY}é",
        f"url: https://h\n        api_key: {MARK}é",
        f"url: https://h\n        api_key: [{MARK}]",
        f"url: https://h\n        headers: {MARK}",
        f"url: https://h\n        headers: {{X-A: [{MARK}]}}",
        f"url: https://h\n        auth_headers: {{X-A: {MARK}é}}",
        f'url: https://h\n        headers: {{X-A: "{MARK}',
        "url: https://h\n        priority: ${API_KEY}",
        "url: https://h\n        archival: ${API_KEY}",
        "url: https://h\n        name: [${API_KEY}]",
    ],
)
def test_no_key_is_in_what_is_said_of_a_mistake(tmp_path: Path, mistake: str) -> None:
    text = f"chains:\n  one:\n    chain_id: 1\n    providers:\n      - id: a\n        {mistake}\n"
    (tmp_path / "public.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_profiles(tmp_path, KEYS)
    assert found_in(str(caught.value).encode()) == []


def lasso(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "lasso_trio", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, check=False)


async def test_no_key_is_in_any_repr(tmp_path: Path) -> None:
    (tmp_path / "public.yml").write_text(profile({"good": "127.0.0.1:1"}))
    profiles = load_profiles(tmp_path, KEYS)
    app = App.make(Settings(port=0), ProfileSet(profiles))
    seen: set[int] = set()
    shown: list[str] = []
    waiting: list[object] = [app, profiles]
    while waiting:  # everything that belongs to us and can be reached from a node
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if type(thing).__module__.startswith("lasso_trio"):
            shown.append(f"{thing!r} {thing}")
            names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
            waiting += [getattr(thing, name) for name in names if hasattr(thing, name)]
            waiting += list(getattr(thing, "__dict__", {}).values())
        elif isinstance(thing, Mapping):
            waiting += list(thing.values())
        elif isinstance(thing, tuple | list | set | frozenset):
            waiting += list(thing)
    assert len(shown) > 30
    assert [text for text in shown if found_in(text.encode())] == []
    await app.registry.aclose()

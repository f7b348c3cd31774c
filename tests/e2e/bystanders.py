"""Clients who only want their calls answered, while others behave badly: what each call took, and what went wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from itertools import count, takewhile
from math import inf, nan

import attrs
import trio

from tests.e2e.caller import Caller, WrongAnswer

BODY = b'{"jsonrpc":"2.0","id":%d,"method":"eth_getBalance","params":["0x%040x","latest"]}'
CLIENTS = 10
PAUSE_S = 0.02


def metric(port: int, name: str) -> int:
    """What the node tells Prometheus under `name`, which must have no labels."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        page = b"".join(iter(lambda: client.recv(65_536), b"")).decode()
    line = next(line for line in page.splitlines() if line.startswith(f"{name} "))
    return int(float(line.split()[1]))


@attrs.define(eq=False)
class Bystanders:
    """`seconds_each`: one figure for each call that was answered. `wrong`: in words; empty when nothing was."""

    port: int
    path: str
    seconds_each: list[float] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)
    _ids: count[int] = attrs.field(factory=lambda: count(1))

    async def call_each(self, times: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(self._client, times)

    async def call_during(self, misdeed: Callable[[], Awaitable[object]]) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(self._client)
            await misdeed()
            nursery.cancel_scope.cancel()

    async def _client(self, times: float = inf) -> None:
        caller = await Caller.connect(self.port, self.path)
        try:
            for _ in takewhile(lambda done: done < times, count()):
                await self._call(caller, next(self._ids))
                await trio.sleep(PAUSE_S)
        except (OSError, WrongAnswer) as problem:
            self.wrong.append(repr(problem))
        finally:
            caller.close()

    async def _call(self, caller: Caller, id_: int) -> None:
        began = trio.current_time()
        answer = await caller.call(BODY % (id_, id_))
        self.seconds_each.append(trio.current_time() - began)
        if answer.status != 200 or json.loads(answer.body).get("id") != id_ or b'"result"' not in answer.body:
            self.wrong.append(f"{answer.status} {answer.body[:200]!r}")

    def p99_ms(self) -> float:
        """Not a number when there was no call."""
        ordered = sorted(self.seconds_each) or [nan]
        return ordered[int(0.99 * (len(ordered) - 1))] * 1e3

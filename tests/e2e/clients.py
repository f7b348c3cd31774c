"""Clients that call until it is enough, one call after the other: some read, some send transactions.

Each call is another one, so that none is answered with what another one got. A transaction's answer must be its hash.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import trio
from Crypto.Hash import keccak

from tests.e2e import shipped_nginx
from tests.e2e.lasso import CHAIN
from tests.e2e.neighbours import Neighbour

READERS: Final = 8
SENDERS: Final = 4


@attrs.define(eq=False)
class Clients:
    """`failed`: what was answered instead, and what was raised. `enough` ends each between two calls."""

    http: httpx.AsyncClient
    served: int = 0
    failed: list[str] = attrs.field(factory=list)
    enough: trio.Event = attrs.field(factory=trio.Event)
    _numbers: count[int] = attrs.field(factory=lambda: count(1))

    async def read(self, base: str) -> None:
        while not self.enough.is_set():
            answer = await self._ask(base, "eth_getBalance", [f"0x{next(self._numbers):040x}", "latest"])
            self._judge(answer, "result" in answer)

    async def send(self, base: str) -> None:
        while not self.enough.is_set():
            raw = bytes((0xC9, 0x88)) + next(self._numbers).to_bytes(8, "big")  # RLP: a list of eight bytes
            answer = await self._ask(base, "eth_sendRawTransaction", [f"0x{raw.hex()}"])
            self._judge(answer, answer.get("result") == "0x" + keccak.new(digest_bits=256, data=raw).hexdigest())

    async def _ask(self, base: str, method: str, params: list[str]) -> dict[str, Any]:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            reply = await self.http.post(f"{base}/rpc/{CHAIN}", json=call)
        except httpx.TransportError as fault:
            return {"raised": repr(fault)}
        try:
            answer: dict[str, Any] = reply.json()
        except ValueError:
            return {"status": reply.status_code, "text": reply.text[:200]}
        return answer

    def _judge(self, answer: dict[str, Any], good: bool) -> None:
        self.served += 1
        if not good:
            self.failed.append(str(answer)[:300])


@asynccontextmanager
async def of_shipped_nginx(folder: Path, nodes: Sequence[Neighbour]) -> AsyncIterator[Clients]:
    """Of the nginx that compose ships, before three nodes, over TLS; they call while the block runs."""
    with shipped_nginx.before_three(folder, [f"{node.host}:{node.port}" for node in nodes]) as front:
        async with httpx.AsyncClient(verify=front.trust, trust_env=False, timeout=30) as http:
            made = Clients(http)
            async with trio.open_nursery() as nursery:
                for each in [made.read] * READERS + [made.send] * SENDERS:
                    nursery.start_soon(each, front.url)
                yield made
                made.enough.set()

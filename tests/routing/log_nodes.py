"""Nodes with limits of `eth_getLogs` and random logs: what stands in for attempts where parts of queries are tested."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import attrs
import msgspec
import trio

from lasso_trio.jsonrpc.errors import upstream_http_status
from lasso_trio.jsonrpc.reply import check
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.classify import classify
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import ANYTHING, Service


@attrs.define
class Node:
    """`blocks`, `results`: its limits. `failing`: the share of calls that end in a 503. `salt`: its branch."""

    blocks: int | None = None
    results: int | None = None
    addresses: int | None = None
    failing: float = 0.0
    suggests: bool = False
    salt: int = 0
    salt_from: int = 0
    text: str = "query exceeds max block range {}"
    topics: int | None = None
    topics_text: str = ""
    asked: int = 0
    blocks_told: int = 0


@attrs.define(slots=False)
class Net:
    """Random logs and nodes that tell them; `attempt` stands in for the room of that name."""

    nodes: Mapping[str, Node]
    rng: Random
    logs: list[dict[str, Any]]
    in_flight: int = 0
    most: int = 0

    async def attempt(
        self,
        method: Any,
        params: bytes,
        id_: bytes,
        candidate: Candidate,
        now: float,
        *_: object,
    ) -> Attempt:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await trio.sleep(0.01)
        except trio.Cancelled:
            candidate.channel.abandoned(now)
            raise
        finally:
            self.in_flight -= 1
        node = self.nodes[candidate.provider.id]
        if method.name == "eth_getBlockByNumber":
            node.blocks_told += 1
            body = self.block(node, json.loads(params)[0])
        else:
            node.asked += 1
            body = self.told(node, json.loads(params)[0])
        if body is None:
            verdict = classify(503, None, "", None)
            candidate.channel.abandoned(now)
            return Attempt(candidate, verdict=verdict, error=upstream_http_status(503))
        reply = check(body, 1)
        candidate.channel.abandoned(now)
        if reply.error is None:
            return Attempt(candidate, reply, final=True, seconds=0.01)
        verdict = classify(200, reply.error.code, reply.error.text, None)
        return Attempt(candidate, reply, verdict=verdict, final=not verdict.retriable, seconds=0.01)

    def told(self, node: Node, query: dict[str, Any]) -> bytes | None:
        if self.rng.random() < node.failing:
            return None
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if node.blocks is not None and last - first + 1 > node.blocks:
            return refused(-32602, node.text.format(node.blocks))
        if node.addresses is not None and len(query.get("address", [])) > node.addresses:
            return refused(-32602, f"specify less number of addresses, the maximum is {node.addresses}")
        if node.topics is not None and len((query.get("topics") or [[]])[0]) > node.topics:
            return refused(-32602, node.topics_text)
        found = [self.seen(node, log) for log in self.matching(query, first, last)]
        if node.results is not None and len(found) > node.results:
            text = f"query returned more than {node.results} results."
            if node.suggests:
                text += f" Try with this block range [{first:#x}, {(first + last) // 2:#x}]."
            return refused(-32005, text)
        return b'{"jsonrpc":"2.0","id":1,"result":%b}' % msgspec.json.encode(found)

    def block(self, node: Node, number: str) -> bytes:
        seen = self.seen(node, {"blockNumber": number, "blockHash": f"0x{int(number, 16):064x}"})
        return b'{"jsonrpc":"2.0","id":1,"result":%b}' % msgspec.json.encode({"hash": seen["blockHash"]})

    def matching(self, query: dict[str, Any], first: int, last: int) -> list[dict[str, Any]]:
        wanted = query.get("address")
        wanted = [wanted] if isinstance(wanted, str) else wanted
        topics = (query.get("topics") or [None])[0]
        topics = [topics] if isinstance(topics, str) else topics
        return [
            log
            for log in self.logs
            if first <= int(log["blockNumber"], 16) <= last
            and (not wanted or log["address"] in wanted)
            and (not topics or log["topics"][0] in topics)
        ]

    def seen(self, node: Node, log: dict[str, Any]) -> dict[str, Any]:
        if not node.salt or int(log["blockNumber"], 16) < node.salt_from:
            return log
        return log | {"blockHash": f"{log['blockHash']}{node.salt}"}


def refused(code: int, text: str) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"error":%b}' % msgspec.json.encode({"code": code, "message": text})


def random_logs(rng: Random, blocks: int, count: int, crowd: int = 0) -> list[dict[str, Any]]:
    """`count` logs anywhere, and `crowd` more in one block."""
    numbers = [rng.randrange(blocks) for _ in range(count)] + [rng.randrange(blocks)] * crowd
    next_index: Counter[int] = Counter()
    logs = []
    for number in sorted(numbers):
        logs.append(
            {
                "blockNumber": hex(number),
                "logIndex": hex(next_index[number]),
                "blockHash": f"0x{number:064x}",
                "address": f"0x{rng.randrange(4):040x}",
                "topics": [f"0x{rng.randrange(4):064x}"],
                "data": rng.random(),
            }
        )
        next_index[number] += 1
    return logs


async def ask(
    service: Service, chain: RoutedChain, first: int, last: int | str, members: Mapping[str, object] | None = None
) -> Outcome:
    """What becomes of an `eth_getLogs` from `first` to `last`; `members`: the filter's others."""
    bounds = {"fromBlock": hex(first), "toBlock": last if isinstance(last, str) else hex(last)}
    params = json.dumps([bounds | dict(members or {})])
    request = decode(f'{{"jsonrpc":"2.0","id":7,"method":"eth_getLogs","params":{params}}}'.encode())
    assert isinstance(request, Request)
    return (await service.serve(chain, ANYTHING, request, trio.current_time())).outcome


def logs_in(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.reply is not None, outcome.error
    logs: list[dict[str, Any]] = json.loads(outcome.reply.splice(b"7"))["result"]
    return logs

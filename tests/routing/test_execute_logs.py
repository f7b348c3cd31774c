from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Capabilities, Limits, Routing, Strategy
from lasso_trio.devnet import Faults, Latency
from lasso_trio.jsonrpc.errors import upstream_http_status
from lasso_trio.jsonrpc.reply import check
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.classify import classify
from lasso_trio.providers.learned import Kind
from lasso_trio.routing import call, execute_logs
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.service import ANYTHING, Service

Build = Callable[..., Any]
Clock = trio.testing.MockClock


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
    asked: int = 0


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
        found = [self.seen(node, log) for log in self.matching(query, first, last)]
        if node.results is not None and len(found) > node.results:
            text = f"query returned more than {node.results} results."
            if node.suggests:
                text += f" Try with this block range [{first:#x}, {(first + last) // 2:#x}]."
            return refused(-32005, text)
        return b'{"jsonrpc":"2.0","id":1,"result":%b}' % msgspec.json.encode(found)

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


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, chain_of: Build) -> Build:
    """`net(nodes, logs)`: a net, and `ask(query)` for the outcome."""

    def build(nodes: Mapping[str, Node], logs: list[dict[str, Any]], seed: int = 1, **options: Any) -> Any:
        it = Net(nodes, Random(seed), logs)
        monkeypatch.setattr(call, "attempt", it.attempt)
        options.setdefault("routing", Routing(Strategy.PRIORITY))
        chain, service = chain_of(*nodes, **options), Service(Random(seed))

        async def ask(first: int, last: int | str, **members: object) -> Outcome:
            bounds = {"fromBlock": hex(first), "toBlock": last if isinstance(last, str) else hex(last)}
            params = json.dumps([bounds | members])
            request = decode(f'{{"jsonrpc":"2.0","id":7,"method":"eth_getLogs","params":{params}}}'.encode())
            assert isinstance(request, Request)
            return (await service.serve(chain, ANYTHING, request, trio.current_time())).outcome

        return it, chain, ask

    return build


def logs_in(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.reply is not None, outcome.error
    logs: list[dict[str, Any]] = json.loads(outcome.reply.splice(b"7"))["result"]
    return logs


@pytest.mark.parametrize("seed", range(12))
async def test_a_hundred_thousand_blocks_are_those_of_an_unlimited_node(
    autojump_clock: Clock, net: Build, seed: int
) -> None:
    rng = Random(seed)
    logs = random_logs(rng, 100_000, rng.choice([0, 50, 1500]), crowd=rng.choice([0, 40]))
    sizes = rng.sample([500, 1000, 10_000], 3)
    results = [rng.choice([None, 60, 200]) for _ in sizes]
    failing = rng.choice([0.0, 0.1])
    nodes = {
        name: Node(size, most, failing=failing, suggests=rng.random() < 0.5)
        for name, size, most in zip("abc", sizes, results, strict=True)
    }
    it, _, ask = net(nodes, logs, seed)
    for _ in range(2):
        outcome = await ask(0, 99_999)
        assert logs_in(outcome) == logs
        assert outcome.reason == "split"
    assert it.most <= execute_logs.IN_FLIGHT


async def test_who_takes_the_range_whole_is_asked_first_once_the_others_limits_are_known(
    autojump_clock: Clock, net: Build
) -> None:
    nodes = {"a": Node(500), "b": Node()}
    _, chain, ask = net(nodes, random_logs(Random(1), 5000, 100))
    first, second = await ask(0, 4999), await ask(0, 4999)
    assert (first.retries, second.retries) == (1, 0)
    assert (nodes["a"].asked, nodes["b"].asked) == (1, 2)
    assert chain.candidates[0].channel.learned.limit(Kind.BLOCKS, trio.current_time()) == 500


async def test_a_stated_limit_is_respected_without_a_refusal(autojump_clock: Clock, net: Build) -> None:
    nodes = {"a": Node(100)}
    stated = {"a": Capabilities(limits=Limits(max_block_range=100))}
    logs = random_logs(Random(1), 1000, 100)
    _, _, ask = net(nodes, logs, capabilities=stated)
    assert logs_in(await ask(0, 999)) == logs
    assert nodes["a"].asked == 11  # 100 blocks each, of which neighbours share one


async def test_a_provider_that_fails_leaves_its_parts_to_smaller_ones(autojump_clock: Clock, net: Build) -> None:
    stated = {name: Capabilities(limits=Limits(max_block_range=n)) for name, n in (("a", 5000), ("b", 500))}
    logs = random_logs(Random(1), 10_000, 100)
    nodes = {"a": Node(5000, failing=1.0), "b": Node(500)}
    _, _, ask = net(nodes, logs, capabilities=stated)
    assert logs_in(await ask(0, 9999)) == logs


async def test_one_crowded_block_is_split_by_address_and_then_by_topic(autojump_clock: Clock, net: Build) -> None:
    logs = random_logs(Random(1), 1, 64)
    nodes = {"a": Node(results=10)}
    _, _, ask = net(nodes, logs)
    addresses = [f"0x{n:040x}" for n in range(4)]
    topics = [[f"0x{n:064x}" for n in range(4)]]
    assert logs_in(await ask(0, 0, address=addresses, topics=topics)) == logs


async def test_what_cannot_be_made_smaller_is_told_in_the_upstreams_words(autojump_clock: Clock, net: Build) -> None:
    _, _, ask = net({"a": Node(results=10)}, random_logs(Random(1), 1, 64))
    outcome = await ask(0, 0)
    assert outcome.reply is not None
    assert outcome.reply.error is not None
    assert outcome.reply.error.text == "query returned more than 10 results."


async def test_a_lost_part_is_named_beside_the_upstreams_error(autojump_clock: Clock, net: Build) -> None:
    logs = [*random_logs(Random(1), 400, 10), *random_logs(Random(2), 1, 64)]
    _, _, ask = net({"a": Node(results=20)}, logs)
    outcome = await ask(0, 399)
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.message) == (-32005, "query returned more than 20 results.")
    assert outcome.error.data["failed_range"] == {"fromBlock": "0x0", "toBlock": "0x0"}


async def test_parts_of_different_histories_are_not_put_together(autojump_clock: Clock, net: Build) -> None:
    logs = [
        {"blockNumber": hex(n), "logIndex": "0x0", "blockHash": f"0x{n:064x}", "address": "0x1", "topics": []}
        for n in range(200)
    ]
    nodes = {"a": Node(100, salt=1, salt_from=50), "b": Node(100)}
    stated = {name: Capabilities(limits=Limits(max_block_range=99)) for name in nodes}
    _, _, ask = net(nodes, logs, capabilities=stated, routing=Routing(Strategy.LOAD_BALANCED), seed=3)
    refetched = 0
    for _ in range(10):
        outcome = await ask(0, 199)
        assert len({log["blockHash"][66:] for log in logs_in(outcome) if int(log["blockNumber"], 16) >= 50}) == 1
        refetched += outcome.retries
    assert refetched


async def test_an_upstream_that_contradicts_itself_is_not_believed(autojump_clock: Clock, net: Build) -> None:
    one = {"blockNumber": "0x5", "logIndex": "0x0", "blockHash": "0xA", "address": "0x1", "topics": []}
    stated = {"a": Capabilities(limits=Limits(max_block_range=100))}
    _, _, ask = net({"a": Node(100)}, [one, one | {"logIndex": "0x1", "blockHash": "0xB"}], capabilities=stated)
    outcome = await ask(0, 199)
    assert outcome.error is not None
    assert (outcome.error.category, outcome.error.data["block"]) == ("seam_conflict", "0x5")


async def test_latest_needs_a_known_height_to_be_split(autojump_clock: Clock, net: Build) -> None:
    logs = random_logs(Random(1), 1000, 50)
    stated = {"a": Capabilities(limits=Limits(max_block_range=100))}
    _, chain, ask = net({"a": Node(100)}, logs, capabilities=stated)
    chain.latest_height = lambda: 999
    assert logs_in(await ask(0, "latest")) == logs


async def test_the_switch_sends_the_query_as_it_came(autojump_clock: Clock, net: Build) -> None:
    nodes = {"a": Node(100)}
    _, _, ask = net(nodes, [], routing=Routing(Strategy.PRIORITY, split_logs=False))
    outcome = await ask(0, 999)
    assert outcome.failed
    assert nodes["a"].asked == 1


async def test_simulated_providers_answer_in_parts_as_they_do_whole(autojump_clock: Clock, world: Build) -> None:
    query = '[{"fromBlock":"0x0","toBlock":"0x3e7"}]'
    whole = await world({"z": Faults(log_range=5000)}).ask("eth_getLogs", query)
    it = world({"a": Faults(log_range=100), "b": Faults(log_range=300)})
    assert await it.ask("eth_getLogs", query) == whole
    assert len(whole["result"]) > 1000
    it.assert_nothing_leaked()


async def test_logs_of_blocks_that_nobody_asked_for_are_the_providers_fault(
    autojump_clock: Clock, net: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = {"a": Capabilities(limits=Limits(max_block_range=60))}
    it, chain, ask = net({"a": Node(100)}, [], capabilities=stated)
    stray = b'{"jsonrpc":"2.0","id":1,"result":%b}' % msgspec.json.encode(random_logs(Random(1), 9999, 1))
    monkeypatch.setattr(it, "told", lambda *_: stray)
    monkeypatch.setattr(execute_logs, "MAX_ROUNDS", 2)
    outcome = await ask(10_000, 10_100)
    assert outcome.error is not None
    assert outcome.error.message == "Invalid upstream response"
    assert chain.candidates[0].tally.failures > 0


async def test_more_parts_than_there_may_be_are_not_begun(autojump_clock: Clock, net: Build) -> None:
    stated = {"a": Capabilities(limits=Limits(max_block_range=5))}
    it, _, ask = net({"a": Node(5)}, [], capabilities=stated)
    outcome = await ask(0, 99_999)
    assert outcome.reply is not None
    assert outcome.reply.error is not None
    assert outcome.reply.error.text == "query exceeds max block range 5"
    assert it.nodes["a"].asked == 1


async def test_the_budget_of_parts_ends_the_query(
    autojump_clock: Clock, net: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute_logs.Job.__init__, "__defaults__", (10, *execute_logs.Job.__init__.__defaults__[1:]))
    _, _, ask = net({"a": Node(results=1)}, random_logs(Random(1), 1000, 100))
    outcome = await ask(0, 999)
    assert outcome.error is not None
    assert outcome.error.category == "split_limit"


async def test_too_many_bytes_end_the_query(autojump_clock: Clock, net: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute_logs, "MAX_BYTES", 1000)
    _, _, ask = net({"a": Node(100)}, random_logs(Random(1), 1000, 100))
    outcome = await ask(0, 999)
    assert outcome.error is not None
    assert outcome.error.category == "response_too_large"


async def test_a_client_that_leaves_ends_every_part(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(log_range=100, latency=Latency.constant(100))})
    with trio.move_on_after(0.15) as scope:
        await it.serve("eth_getLogs", '[{"fromBlock":"0x0","toBlock":"0x3e7"}]')
    assert scope.cancelled_caught
    await trio.sleep(5)
    it.assert_nothing_leaked()
    assert it.routed.counts.cancelled == 1

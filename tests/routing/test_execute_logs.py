from __future__ import annotations

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
from lasso_trio.providers.learned import Kind
from lasso_trio.routing import call, execute_logs, retry_budget
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.retry_budget import RetryBudget
from lasso_trio.routing.service import Service
from tests.routing import log_nodes
from tests.routing.log_nodes import Net, Node, logs_in, random_logs

Build = Callable[..., Any]
Clock = trio.testing.MockClock


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, chain_of: Build) -> Build:
    """`net(nodes, logs)`: a net, and `ask(query)` for the outcome."""

    def build(nodes: Mapping[str, Node], logs: list[dict[str, Any]], seed: int = 1, **options: Any) -> Any:
        it = Net(nodes, Random(seed), logs)
        monkeypatch.setattr(call, "attempt", it.attempt)
        options.setdefault("routing", Routing(Strategy.PRIORITY))
        chain, service = chain_of(*nodes, **options), Service(Random(seed))

        async def ask(first: int, last: int | str, **members: object) -> Outcome:
            return await log_nodes.ask(service, chain, first, last, members)

        return it, chain, ask

    return build


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
    stated = {"a": Capabilities(limits=Limits(max_block_range=99))}
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


@attrs.define(slots=False)
class HalfDown(Net):
    """Every part but the first ends in a 503: so many did."""

    failed: int = 0

    def told(self, node: Node, query: dict[str, Any]) -> bytes | None:
        if query["fromBlock"] == "0x0":
            return super().told(node, query)
        self.failed += 1
        return None


@pytest.mark.parametrize(("tokens", "rounds"), [(0.0, 1), (1.0, 2), (9.0, execute_logs.MAX_ROUNDS)])
async def test_a_part_is_tried_again_as_often_as_the_retry_budget_pays_for(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, chain_of: Build, tokens: float, rounds: int
) -> None:
    it = HalfDown({"a": Node(100)}, Random(1), [])
    monkeypatch.setattr(call, "attempt", it.attempt)
    monkeypatch.setattr(retry_budget, "LEAST_PER_S", 0.0)
    chain, service = chain_of("a", capabilities={"a": Capabilities(limits=Limits(max_block_range=99))}), Service()
    service.retries = RetryBudget(tokens=tokens)
    outcome = await log_nodes.ask(service, chain, 0, 150, {})
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.data["blocks_done"] < 151) == (-32002, True)
    assert (it.failed, service.retries.spent, outcome.retries) == (rounds, rounds - 1, rounds - 1)


async def test_one_crowded_block_is_split_by_address_and_then_by_topic(autojump_clock: Clock, net: Build) -> None:
    logs = random_logs(Random(1), 1, 64)
    nodes = {"a": Node(results=10)}
    _, _, ask = net(nodes, logs)
    addresses = [f"0x{n:040x}" for n in range(4)]
    topics = [[f"0x{n:064x}" for n in range(4)]]
    assert logs_in(await ask(0, 0, address=addresses, topics=topics)) == logs


@pytest.mark.parametrize("told", ["", ", the limit is 1000"])
async def test_too_many_topics_are_halved_and_not_the_blocks(autojump_clock: Clock, net: Build, told: str) -> None:
    node = Node(topics=1000, topics_text=f"exceed max addresses or topics per search position{told}")
    logs = random_logs(Random(1), 100_000, 50)
    _, chain, ask = net({"a": node, "b": Node(topics=100, topics_text="too many topics")}, logs)
    topics = [[f"0x{n:064x}" for n in range(1500)]]
    outcome = await ask(0, 99_999, topics=topics)
    assert logs_in(outcome) == logs
    assert node.asked == 3
    assert chain.candidates[0].channel.learned.limit(Kind.ADDRESSES, trio.current_time()) is None


async def test_topics_that_cannot_be_cut_do_not_make_a_thousand_calls(autojump_clock: Clock, net: Build) -> None:
    node = Node(topics=1000, topics_text="too many topics")
    _, _, ask = net({"a": node}, [])
    outcome = await ask(0, 99_999, topics=[[None, *(f"0x{n:064x}" for n in range(1500))]])
    assert (outcome.failed, node.asked) == (True, 1)


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


def told_heads(chain: Any, height: int, finalized: int | None) -> None:
    for candidate in chain.candidates:
        candidate.head.tell(height, trio.current_time(), 12.0)
        candidate.head.finalized = finalized


@pytest.mark.parametrize("finalized", [20, None])
async def test_histories_are_told_apart_where_nobody_logged_anything_at_the_seam(
    autojump_clock: Clock, net: Build, finalized: int | None
) -> None:
    logs = [
        {"blockNumber": hex(n), "logIndex": "0x0", "blockHash": f"0x{n:064x}", "address": "0x1", "topics": []}
        for n in range(60, 190)
        if n % 19
    ]
    nodes = {"a": Node(20, salt=1, salt_from=50), "b": Node(20)}
    stated = {name: Capabilities(limits=Limits(max_block_range=19)) for name in nodes}
    _, chain, ask = net(nodes, logs, capabilities=stated, routing=Routing(Strategy.LOAD_BALANCED), seed=3)
    for _ in range(10):
        told_heads(chain, 170, finalized)
        found = logs_in(await ask(0, 199))
        assert (len(found), len({log["blockHash"][66:] for log in found})) == (len(logs), 1)
    assert nodes["a"].blocks_told + nodes["b"].blocks_told <= 20


@pytest.mark.parametrize(("names", "finalized"), [("ab", 199), ("a", 20)])
async def test_what_is_final_or_told_by_one_costs_no_look_at_a_block(
    autojump_clock: Clock, net: Build, names: str, finalized: int
) -> None:
    nodes = {name: Node(100) for name in names}
    stated = {name: Capabilities(limits=Limits(max_block_range=99)) for name in names}
    logs = random_logs(Random(1), 200, 90)
    _, chain, ask = net(nodes, logs, capabilities=stated, routing=Routing(Strategy.LOAD_BALANCED), seed=3)
    for _ in range(5):
        told_heads(chain, 200, finalized)
        assert logs_in(await ask(0, 199)) == logs
    assert sum(node.blocks_told for node in nodes.values()) == 0


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


async def test_safe_and_finalized_are_blocks_where_they_are_known(autojump_clock: Clock, net: Build) -> None:
    logs = random_logs(Random(1), 1000, 50)
    stated = {"a": Capabilities(limits=Limits(max_block_range=99))}
    nodes = {"a": Node(100)}
    _, chain, ask = net(nodes, logs, capabilities=stated)
    chain.candidates[0].head.tell(1100, trio.current_time(), 12.0)
    chain.candidates[0].head.finalized = 999
    assert logs_in(await ask(0, "finalized")) == logs
    assert nodes["a"].asked == 11


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


async def test_parts_with_old_blocks_go_to_archives_and_others_to_everybody(autojump_clock: Clock, net: Build) -> None:
    stated = {name: Capabilities(limits=Limits(max_block_range=99)) for name in "ab"}
    nodes = {"a": Node(100), "b": Node(100)}
    _, chain, ask = net(nodes, random_logs(Random(1), 1000, 100), capabilities=stated)
    recent = chain.candidates[0]
    recent.provider = attrs.evolve(recent.provider, archival=False)
    chain._pruned = True
    for candidate in chain.candidates:
        candidate.head.tell(1000, trio.current_time(), 12.0)
    assert len(logs_in(await ask(0, 999))) == 100
    assert (nodes["a"].asked, nodes["b"].asked) == (2, 9)  # 891 to 989, and the rest


async def test_a_block_named_by_its_hash_may_be_old_and_goes_to_archives(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    block = (await it.ask("eth_getBlockByNumber", '["0x3e0",false]'))["result"]["hash"]
    it["a"].provider, it.routed._pruned = attrs.evolve(it["a"].provider, archival=False), True
    found = (await it.ask("eth_getLogs", f'[{{"blockHash":"{block}"}}]'))["result"]
    assert {log["blockHash"] for log in found} == {block}
    assert (it.provider("a").calls["eth_getLogs"], it.provider("b").calls["eth_getLogs"]) == (0, 1)


async def test_what_a_provider_told_of_its_depth_keeps_older_parts_from_it(autojump_clock: Clock, net: Build) -> None:
    stated = {name: Capabilities(limits=Limits(max_block_range=99)) for name in "ab"}
    nodes = {"a": Node(100), "b": Node(100)}
    _, chain, ask = net(nodes, random_logs(Random(1), 1000, 100), capabilities=stated)
    chain.candidates[0].channel.learned.told(Kind.EARLIEST, 600, trio.current_time())
    assert len(logs_in(await ask(0, 999))) == 100
    assert (nodes["a"].asked, nodes["b"].asked) == (4, 7)


async def test_who_has_not_seen_the_newest_block_is_asked_for_it_last(autojump_clock: Clock, net: Build) -> None:
    nodes = {"a": Node(), "b": Node()}
    _, chain, ask = net(nodes, random_logs(Random(1), 1000, 100))
    for candidate, height in zip(chain.candidates, (990, 1000), strict=True):
        candidate.head.tell(height, trio.current_time(), 12.0)
    await ask(0, 1000)
    await ask(0, 980)
    assert (nodes["a"].asked, nodes["b"].asked) == (1, 1)

"""The promise of the cache: from the moment a header tells of a reorganisation, no block that it removed is served.

Random histories of a simulated chain: blocks, reorganisations of up to 64, nodes that are stuck on an old branch and
answer late, headers that are told late, one by one, with holes, or from a branch that is gone. What the cache tells is
held against what the headers have told by then, and against the chain itself.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from lasso_trio.devnet import Chain, View
from lasso_trio.devnet.blocks import block_hash
from lasso_trio.devnet.methods import METHODS, Site
from lasso_trio.jsonrpc.methods import known
from lasso_trio.jsonrpc.reply import check
from lasso_trio.providers.branch import Header
from lasso_trio.providers.head import Head
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.routing.cache import ChainCache, cached
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.execute import Call
from lasso_trio.routing.outcome import Outcome
from tests.routing.shared_calls import RNG

FINALITY = 64
START = 200
STEP_S = 0.25
ASKED = ["eth_blockNumber", "latest", "number", "hash", "receipt", "receipts", "logs"]


@attrs.define(eq=False)
class Node:
    """Who answers: from the chain as it is, or from what it was when the node got stuck."""

    head: Head = attrs.field(factory=Head)
    stuck: View | None = None


@attrs.define(eq=False)
class History:
    """A chain, two nodes, a cache, and what the headers have told. `removed`: hashes that they told the end of."""

    chain: Chain = attrs.field(factory=lambda: Chain(block_time=None, start_height=START))
    nodes: tuple[Node, Node] = attrs.field(factory=lambda: (Node(), Node()))
    views: list[View] = attrs.field(factory=list)
    removed: set[str] = attrs.field(factory=set)
    untold: int = START
    hits: int = 0
    cache: ChainCache = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        heads = ChainHeads({str(i): node.head for i, node in enumerate(self.nodes)})
        self.cache = ChainCache(b"x", MemoryStore(1 << 20), heads)
        self.views.append(self.view)

    @property
    def view(self) -> View:
        return self.chain.view(trio.current_time())

    def look(self) -> None:
        """What probers tell: a node knows what is final on the branch that it follows."""
        for node in self.nodes:
            view = node.stuck or self.view
            node.head.tell(view.head, trio.current_time(), 12.0)
            node.head.finalized = view.head - FINALITY

    def advance(self, blocks: int) -> None:
        self.chain.advance(blocks)
        self.views.append(self.view)

    def reorg(self, depth: int, longer_by: int) -> None:
        height = self.view.head
        self.chain.reorg(depth, trio.current_time(), longer_by=longer_by)
        self.untold = min(self.untold, height - depth + 1)
        self.views.append(self.view)

    def tell(self, most: int, skip: int) -> None:
        """The next headers, up to so many, after leaving some out."""
        view = self.view
        first = min(self.untold + skip, view.head)
        for number in range(first, min(first + most, view.head + 1)):
            self._tell(view, number)
            self.untold = number + 1
        for old in self.views:
            fork = view.branch.parts_from(old.branch)
            if fork < self.untold:
                self.removed |= {_hash(old, n) for n in range(int(fork), old.head + 1)}

    def tell_late(self, back: int) -> None:
        """Somebody still follows an old branch, and tells it."""
        old = self.views[-min(len(self.views), 2)]
        for number in range(max(1, old.head - back), old.head + 1):
            self._tell(old, number)

    def _tell(self, view: View, number: int) -> None:
        block = view.block(number)
        assert block is not None
        header = Header(number, block.hash, block.header["parentHash"])
        self.cache.branch.hear(header, trio.current_time())

    async def ask(self, what: str, back: int, who: int, late_s: float) -> None:
        method, params = self._request(what, back)
        now = trio.current_time()
        found, strategy = known(method), type("Plan", (), {"reason": "any"})
        call = Call(None, found, json.dumps(params).encode(), b"1", strategy, now, now + 60, trio.current_time)  # type: ignore[arg-type]

        async def act(call: Call, rng: Any) -> Outcome:
            node = self.nodes[who]
            result = METHODS[method](Site(node.stuck or self.view), params)
            await trio.sleep(late_s)
            reply = check(b'{"jsonrpc":"2.0","id":1,"result":%b}' % json.dumps(result).encode(), 1)
            return Outcome(reply=reply, candidate=node)  # type: ignore[arg-type]

        outcome = await cached(call, RNG, act, self.cache)
        if outcome.cache.startswith("hit"):
            self.hits += 1
            assert outcome.reply is not None
            self._check(what, back, json.loads(outcome.reply.splice(b"1"))["result"])

    def _request(self, what: str, back: int) -> tuple[str, list[Any]]:
        view = self.view
        block = view.block(min(view.head, START + 6 - back))
        assert block is not None
        number = hex(block.number)
        return {
            "eth_blockNumber": ("eth_blockNumber", []),
            "latest": ("eth_getBlockByNumber", ["latest", False]),
            "number": ("eth_getBlockByNumber", [number, False]),
            "hash": ("eth_getBlockByHash", [block.hash, False]),
            "receipt": ("eth_getTransactionReceipt", [block.transactions[0]["hash"]]),
            "receipts": ("eth_getBlockReceipts", [number]),
            "logs": ("eth_getLogs", [{"fromBlock": hex(block.number - 2), "toBlock": number}]),
        }[what]  # type: ignore[return-value]

    def _check(self, what: str, back: int, result: Any) -> None:
        tip = self.cache.branch.tip
        if what == "eth_blockNumber":
            assert tip is not None
            assert int(result, 16) == tip.number
            return
        for told in result if isinstance(result, list) else [result]:
            hash_ = told["blockHash"] if "blockHash" in told else told["hash"]
            assert hash_ not in self.removed, f"{what} {back}: {hash_} was removed"
            if what == "latest":
                assert tip is not None
                assert hash_ == tip.hash


def _hash(view: View, number: int) -> str:
    return block_hash(view.chain_id, number, view.branch.salt_at(number))


asks = st.tuples(
    st.just("ask"),
    st.sampled_from(ASKED),
    st.sampled_from([0, 1, 2, 3, 6]),
    st.integers(0, 1),
    st.sampled_from([0.0, 0.0, 0.4, 3.0]),
)
tell_all = st.just(("tell", 200, 0))
steps = st.one_of(
    asks,
    asks,
    asks,
    tell_all,
    tell_all,
    st.tuples(st.just("tell"), st.integers(1, 3), st.sampled_from([0, 0, 1, 3])),
    st.tuples(st.just("advance"), st.sampled_from([1, 1, 1, 2, 3, 10, 70])),
    st.tuples(st.just("reorg"), st.sampled_from([1, 2, 3, 4, 8, 64]) | st.integers(1, 64), st.integers(0, 3)),
    st.tuples(st.just("tell_late"), st.integers(0, 12)),
    st.tuples(st.just("stick"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("lose")),
)


async def live(history: History, plan: list[Any]) -> None:
    """Carry out the steps, a quarter of a second apart, and ask each question twice: the second may be a hit."""
    async with trio.open_nursery() as nursery:
        history.look()
        history.tell(1, 0)
        for name, *how in plan:
            if name == "ask":
                nursery.start_soon(history.ask, *how)
                await trio.sleep(STEP_S)
                nursery.start_soon(history.ask, *how)
            elif name == "stick":
                history.nodes[how[0]].stuck = history.view if how[1] else None
            elif name == "lose":
                history.cache.branch.lose()
            else:
                getattr(history, name)(*how)
            history.look()
            await trio.sleep(STEP_S)


def run(plan: list[Any]) -> History:
    made: list[History] = []

    async def main() -> None:
        made.append(History())
        await live(made[0], plan)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return made[0]


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=12, max_size=50))
def test_no_block_that_a_reorganisation_removed_is_served(plan: list[Any]) -> None:
    run(plan)


def test_and_yet_it_serves() -> None:
    """The same machine on a quiet chain, so that the promise is not kept by serving nothing at all."""
    plan: list[Any] = [("advance", 10), ("tell", 80, 0)]
    for _ in range(10):
        plan += [("advance", 2), ("tell", 80, 0), *(("ask", what, 1, 0, 0.0) for what in ASKED)]
    assert run(plan).hits >= 10 * len(ASKED)


def test_a_branch_that_is_gone_is_not_brought_back_by_who_still_follows_it() -> None:
    plan: list[Any] = [("advance", 6), ("tell", 80, 0), ("stick", 1, True), ("reorg", 4, 0), ("tell", 80, 0)]
    plan += [("tell_late", 12), *(("ask", what, 0, 1, 0.0) for what in ASKED)]
    assert run(plan).hits == 0

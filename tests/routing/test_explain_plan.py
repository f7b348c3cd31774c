"""What is foreseen is what is done: the first request of a call goes where the explanation said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Capabilities, Limits, Strategy, Transport
from lasso_trio.devnet import Faults
from lasso_trio.jsonrpc.methods import lookup
from lasso_trio.routing.call import Call
from lasso_trio.routing.explain_plan import Foreseen, foresee
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Wish
from lasso_trio.routing.sessions import Session

Chains = Callable[..., RoutedChain]
Clock = trio.testing.MockClock
NOW = 5.0


def foreseen(
    chain: RoutedChain, method: str, params: bytes = b"[]", *, session: Session | None = None, least: int | None = None
) -> Foreseen:
    its = lookup(method, f'"{method}"'.encode())
    plan = chain.plan(its, b"[]", NOW, Strategy.PRIORITY)
    call = Call(chain, its, params, b"7", plan, NOW, NOW + 5.0, lambda: NOW)
    return foresee(call, session, least, splits=method == "eth_getLogs")


CALLS = [
    ("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x32"}]', None),
    ("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x5"}]', None),
    ("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x5"}]', 1000),
    ("eth_gasPrice", "[]", 1000),
    ("eth_blockNumber", "[]", 1000),
    ("eth_newBlockFilter", "[]", 1000),
    ("eth_getBalance", '["0x0000000000000000000000000000000000000001","0x5"]', None),
]


@pytest.mark.parametrize(("method", "params", "least"), CALLS)
async def test_who_is_said_to_be_asked_first_is_asked_first(
    autojump_clock: Clock, world: Callable[..., Any], method: str, params: str, least: int | None
) -> None:
    it = world({"a": Faults(), "b": Faults()}, capabilities={"a": Capabilities(limits=Limits(max_block_range=10))})
    for name, height in (("a", 990), ("b", 1000)):
        it[name].head.tell(height, trio.current_time(), 12.0)
    wish = Wish(min_block=least)
    row = it.service.explain(it.routed, wish, it.request(method, params), trio.current_time())
    assert it.asked == {}
    outcome = (await it.serve(method, params, wish)).outcome
    assert (outcome.failed, outcome.candidate.label) == (False, row["chosen_first"]["label"])
    assert (sum(it.asked.values()), row["parts"]) == (1, 1)


def test_a_session_and_a_claim_hold_both(chain_of: Chains) -> None:
    chain = chain_of("a", "b")
    for candidate, height in zip(chain.candidates, (990, 1000), strict=True):
        candidate.head.tell(height, NOW, 12.0)
    shown = Session(shown=995)
    both = foreseen(chain, "eth_gasPrice", session=shown, least=980)
    assert (both.plan.labels, both.floor, both.answer) == (["b:http"], 995, "upstream")
    beyond = foreseen(chain, "eth_gasPrice", session=shown, least=1001)
    assert (beyond.plan.labels, beyond.floor, beyond.answer) == ([], 1001, "heights_first")
    assert beyond.refusal is not None
    assert beyond.refusal.category == "behind_session"


def test_a_numbered_read_needs_its_block_and_no_more(chain_of: Chains) -> None:
    chain = chain_of("a")
    chain.candidates[0].head.tell(990, NOW, 12.0)
    for method, params in (("eth_simulateV1", b'[{},"0x64"]'), ("eth_call", b'[{},"0x64"]')):
        assert foreseen(chain, method, params, least=9000).floor == 100


def test_nobody_is_refused_as_a_call_would_be(chain_of: Chains) -> None:
    chain = chain_of("a")
    chain.candidates[0].channel.cordon(out=True)
    it = foreseen(chain, "eth_gasPrice", least=5)
    assert (it.answer, it.refusal and it.refusal.category) == ("refused", "cordoned")


def test_filters_are_made_over_http(chain_of: Chains) -> None:
    chain = chain_of("a", ws=["a"])
    sockets = [c for c in chain.candidates if c.transport is Transport.WS]
    its = lookup("eth_newFilter", b'"eth_newFilter"')
    plan = attrs.evolve(chain.plan(its, b"[]", NOW, Strategy.PRIORITY), ranked=(*sockets, *chain.candidates[:1]))
    it = foresee(Call(chain, its, b"[{}]", b"7", plan, NOW, NOW + 5.0, lambda: NOW), None, None, splits=False)
    assert it.plan.labels == ["a:http"]

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import Capabilities, Limits, Transport
from lasso_trio.jsonrpc.methods import Method, known, lookup
from lasso_trio.providers.catalogue import Category
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.learned import Kind
from lasso_trio.routing import filters
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.filters import Exclusion, block_span, blocks_of
from lasso_trio.routing.routed_chain import RoutedChain

ChainOf = Callable[..., RoutedChain]


def method(name: str) -> Method:
    return lookup(name, f'"{name}"'.encode())


def labels(candidates: Iterable[Candidate]) -> list[str]:
    return [candidate.label for candidate in candidates]


def limited_to(blocks: int) -> Capabilities:
    return Capabilities(limits=Limits(max_block_range=blocks))


# Names and transports


def test_only_the_named_are_kept(chain_of: ChainOf) -> None:
    kept, out = filters.by_provider(chain_of("a", "b", "c", ws=["c"]).candidates, ["c"])
    assert labels(kept) == ["c:http", "c:ws"]
    assert out == [Exclusion("a:http", "not_named"), Exclusion("b:http", "not_named")]


@pytest.mark.parametrize(
    ("name", "wanted", "kept", "reasons"),
    [
        ("eth_call", None, ["a:http", "b:http"], {"b:ws": "not_connected"}),
        ("eth_call", Transport.HTTP, ["a:http", "b:http"], {"b:ws": "transport"}),
        ("eth_call", Transport.WS, [], {"a:http": "transport", "b:http": "transport", "b:ws": "not_connected"}),
        ("eth_subscribe", None, [], {"a:http": "transport", "b:http": "transport", "b:ws": "not_connected"}),
        ("eth_subscribe", Transport.HTTP, [], {"a:http": "transport", "b:http": "transport", "b:ws": "not_connected"}),
    ],
)
def test_the_transport_asked_for_and_only_what_is_connected(
    chain_of: ChainOf, name: str, wanted: Transport | None, kept: list[str], reasons: dict[str, str]
) -> None:
    got, out = filters.by_transport(chain_of("a", "b", ws=["b"]).candidates, method(name), wanted)
    assert labels(got) == kept
    assert {exclusion.label: exclusion.reason for exclusion in out} == reasons


# Breakers


def test_open_is_out_and_half_open_is_in(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b", "c")
    rng = Random(1)
    for _ in range(3):
        chain.candidates[0].channel.breaker.failure(Category.NETWORK_ERROR, 100.0, rng)
        chain.candidates[1].channel.breaker.failure(Category.NETWORK_ERROR, 0.0, rng)
    kept, out = filters.by_breaker(chain.candidates, 101.0)
    assert (labels(kept), out) == (["b:http", "c:http"], [Exclusion("a:http", "breaker_open")])


def test_who_is_cordoned_is_out(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b").candidates
    candidates[0].channel.cordoned = True
    kept, out = filters.by_cordon(candidates)
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "cordoned")])


def test_a_quarantine_is_called_one_until_it_is_half_open(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b").candidates
    candidates[0].channel.breaker.quarantine("operator", 100.0, 60.0)
    kept, out = filters.by_breaker(candidates, 101.0)
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "quarantined")])
    assert labels(filters.by_breaker(candidates, 160.0)[0]) == ["a:http", "b:http"]


# Abilities


@pytest.mark.parametrize(
    ("capabilities", "name", "able"),
    [
        (Capabilities(), "eth_call", True),
        (Capabilities(), "debug_traceCall", True),
        (Capabilities(), "made_up", True),
        (Capabilities(), "eth_coinbase", False),
        (Capabilities(unsupported_categories=("debug",)), "debug_traceCall", False),
        (Capabilities(unsupported_categories=("debug",)), "eth_coinbase", True),
        (Capabilities(unsupported_methods=("eth_getLogs",)), "eth_getLogs", False),
        (Capabilities(unsupported_methods=("eth_getLogs",)), "eth_newFilter", True),
    ],
)
def test_what_a_provider_can_serve(capabilities: Capabilities, name: str, able: bool) -> None:
    assert filters.can_serve(capabilities, method(name)) == able


def test_those_who_cannot_are_left_out_while_somebody_can(chain_of: ChainOf) -> None:
    chain = chain_of("a", "b", capabilities={"a": Capabilities(unsupported_categories=("debug",))})
    kept, out = filters.by_ability(chain.candidates, method("debug_traceCall"))
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "unsupported_method")])


def test_when_nobody_can_everybody_is_tried(chain_of: ChainOf) -> None:
    no = Capabilities(unsupported_methods=("eth_getLogs",))
    kept, out = filters.by_ability(
        chain_of("a", "b", capabilities={"a": no, "b": no}).candidates, method("eth_getLogs")
    )
    assert (labels(kept), out) == (["a:http", "b:http"], [])


def test_but_nobody_is_asked_for_what_needs_a_nodes_own_keys(chain_of: ChainOf) -> None:
    kept, out = filters.by_ability(chain_of("a", "b").candidates, method("eth_coinbase"))
    assert (kept, len(out)) == ([], 2)


# Block ranges


@pytest.mark.parametrize(
    ("params", "span"),
    [
        (b'[{"fromBlock":"0x1","toBlock":"0x3E9"}]', 1000),
        (b'[{"fromBlock":"0x1","toBlock":"0x3eb"}]', 1002),
        (b'[{"toBlock":"0x1","fromBlock":"0x3eb","address":["0x"],"topics":[null]}]', 1002),
        (b'[{"fromBlock":"0x5","toBlock":"0x5"}]', 0),
        (b'[{"fromBlock":"0x1","toBlock":"latest"}]', None),
        (b'[{"fromBlock":"earliest","toBlock":"0x1"}]', None),
        (b'[{"fromBlock":"0x1"}]', None),
        (b'[{"fromBlock":"0x1","toBlock":null}]', None),
        (b'[{"fromBlock":1,"toBlock":2}]', None),
        (b'[{"fromBlock":"","toBlock":"0x"}]', None),
        (b'[{"blockHash":"0x1"}]', None),
        (b"[{}]", None),
        (b"[]", None),
        (b'["0x1","0x2"]', None),
        (b'[{"fromBlock":"0x1","toBlock":"0x2"},1]', None),
    ],
)
def test_the_span_of_a_log_query(params: bytes, span: int | None) -> None:
    assert block_span(params) == span


@given(st.binary(max_size=60) | st.text(alphabet='[]{}:,"0x1fromBlckt', max_size=60).map(str.encode))
def test_no_parameters_break_the_span(params: bytes) -> None:
    assert block_span(params) is None or block_span(params) >= 0  # type: ignore[operator]
    blocks = blocks_of(params, {"latest": 1000})
    assert blocks is None or blocks >= 1


@pytest.mark.parametrize(
    "params",
    [
        b'[{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        b'[{"fromBlock":"0x1","toBlock":"0x%b"}]' % (b"f" * 100_000),
    ],
    ids=["deep", "long"],
)
def test_neither_deep_nor_long_parameters_break_it(params: bytes) -> None:
    block_span(params)
    blocks_of(params, {})


HEIGHTS = {"earliest": 0, "latest": 1000, "safe": 968, "finalized": None}


@pytest.mark.parametrize(
    ("params", "blocks"),
    [
        (b'[{"fromBlock":"0x1","toBlock":"0x64"}]', 100),
        (b'[{"fromBlock":"0x1","toBlock":"0x65"}]', 101),
        (b'[{"fromBlock":"0x65","toBlock":"0x1"}]', 101),
        (b'[{"fromBlock":"0x1","toBlock":"latest"}]', 1000),
        (b'[{"fromBlock":"0x3e7"}]', 2),
        (b'[{"fromBlock":"0x3e7","toBlock":null}]', 2),
        (b'[{"toBlock":"0x3e7"}]', 2),
        (b'[{"fromBlock":"earliest","toBlock":"latest"}]', 1001),
        (b'[{"fromBlock":"safe","toBlock":"latest"}]', 33),
        (b'[{"fromBlock":"finalized","toBlock":"latest"}]', None),
        (b'[{"fromBlock":"finalized","toBlock":"finalized"}]', 1),
        (b'[{"fromBlock":"pending"}]', None),
        (b'[{"blockHash":"0x1"}]', 1),
        (b'[{"address":["0x1"]}]', 1),
        (b'[{"fromBlock":1,"toBlock":2}]', None),
        (b'["0x1","0x2"]', None),
        (b"[]", None),
    ],
)
def test_how_many_blocks_a_log_query_is_over(params: bytes, blocks: int | None) -> None:
    assert blocks_of(params, HEIGHTS) == blocks


def test_the_newest_block_is_one_block_however_high_it_is() -> None:
    assert blocks_of(b"[{}]", {"latest": None}) == 1
    assert blocks_of(b'[{"fromBlock":"0x1"}]', {"latest": None}) is None


def test_a_range_within_the_limit_passes_and_one_beyond_does_not(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", capabilities={"a": limited_to(1000)}).candidates
    assert labels(filters.by_block_range(candidates, 1000)[0]) == ["a:http", "b:http"]
    kept, out = filters.by_block_range(candidates, 1002)
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "block_range")])


def test_an_unknown_range_is_allowed(chain_of: ChainOf) -> None:
    candidates = chain_of("a", capabilities={"a": limited_to(0)}).candidates
    assert labels(filters.by_block_range(candidates, None)[0]) == ["a:http"]


def test_a_range_beyond_everybodys_limit_is_tried_with_everybody(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", capabilities={"a": limited_to(10), "b": limited_to(20)}).candidates
    kept, out = filters.by_block_range(candidates, 1000)
    assert (labels(kept), out) == (["a:http", "b:http"], [])


# Chains, lag and archives


def test_another_chain_is_left_out_and_one_that_was_not_asked_yet(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", "c", "d").candidates
    for candidate, check in zip(candidates, list(ChainCheck)[1:], strict=True):
        candidate.head.check = check
    kept, out = filters.by_chain(candidates)
    assert [c.head.check for c in kept] == [ChainCheck.RIGHT, ChainCheck.MUTE]
    assert {exclusion.reason for exclusion in out} == {"unverified", "wrong_chain"}


def test_who_lags_is_left_out_unless_it_is_everybody(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b", "c").candidates
    lags: dict[str, int | None] = {"a:http": -3, "b:http": -2, "c:http": None}
    kept, out = filters.by_lag(candidates, lambda c: lags[c.label], 2)
    assert labels(kept) == ["b:http", "c:http"]
    assert out == [Exclusion("a:http", "lagging")]
    kept, out = filters.by_lag(candidates, lambda _: -3, 2)
    assert (labels(kept), out) == (labels(candidates), [])


def test_who_told_that_it_begins_later_is_left_out_unless_all_did(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b").candidates
    candidates[0].channel.learned.told(Kind.EARLIEST, 500, 0.0)
    kept, out = filters.by_depth(candidates, 499, 1.0)
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "pruned")])
    for oldest in (500, None):
        assert labels(filters.by_depth(candidates, oldest, 1.0)[0]) == ["a:http", "b:http"]
    candidates[1].channel.learned.told(Kind.EARLIEST, 700, 0.0)
    assert labels(filters.by_depth(candidates, 0, 1.0)[0]) == ["a:http", "b:http"]


def test_old_state_is_asked_of_who_keeps_it_unless_nobody_does(chain_of: ChainOf) -> None:
    candidates = chain_of("a", "b").candidates
    assert filters.by_archive(candidates) == (list(candidates), [])
    candidates[0].provider = attrs.evolve(candidates[0].provider, archival=False)
    kept, out = filters.by_archive(candidates)
    assert labels(kept) == ["b:http"]
    assert out == [Exclusion("a:http", "not_archival")]
    assert labels(filters.by_archive(candidates[:1])[0]) == ["a:http"]


def test_blocks_older_than_a_profile_allows_for_the_method_go_elsewhere_unless_that_is_nowhere(
    chain_of: ChainOf,
) -> None:
    young = Capabilities(limits=Limits(max_block_age=100, block_age_methods=("eth_call",)))
    candidates = chain_of("a", "b", capabilities={"a": young}).candidates
    call, balance = known("eth_call"), known("eth_getBalance")
    assert call is not None
    assert balance is not None
    kept, out = filters.by_age(candidates, call, 899, 1000)
    assert (labels(kept), out) == (["b:http"], [Exclusion("a:http", "block_age")])
    for method, oldest, head in ((call, 900, 1000), (balance, 1, 1000), (call, None, 1000), (call, 1, None)):
        assert labels(filters.by_age(candidates, method, oldest, head)[0]) == ["a:http", "b:http"]
    assert labels(filters.by_age(candidates[:1], call, 1, 1000)[0]) == ["a:http"]

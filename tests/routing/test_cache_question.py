from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.methods import all_known
from lasso_trio.routing.cache_question import BY_HASH, CACHEABLE, PRICES, Kind, Question, read

HASH = '"0x' + "ab" * 32 + '"'
HEAD = Question(Kind.HEAD)
OTHER = Question(Kind.HEAD, latest=False)
HASHED = Question(Kind.HASHED)


def numbered(number: int) -> Question:
    return Question(Kind.NUMBERED, number)


def ask(method: str, params: str) -> Question | str:
    return read(method, params.encode())


@pytest.mark.parametrize("method", sorted(PRICES))
def test_a_price_is_a_price(method: str) -> None:
    assert ask(method, "[]") == Question(Kind.PRICE)


def test_the_height_is_about_the_head() -> None:
    assert ask("eth_blockNumber", "[]") == HEAD


@pytest.mark.parametrize("method", sorted(BY_HASH))
def test_what_is_named_by_its_hash(method: str) -> None:
    assert ask(method, f"[{HASH}]") == HASHED
    assert ask(method, f"[{HASH},true]") == HASHED
    assert ask(method, '["0xab"]') == "params"
    assert ask(method, "[]") == "params"


@pytest.mark.parametrize(
    ("selector", "question"),
    [
        ('"latest"', HEAD),
        ("null", HEAD),
        ('"safe"', OTHER),
        ('"finalized"', OTHER),
        ('"pending"', "pending"),
        ('"earliest"', numbered(0)),
        ('"0x10"', numbered(16)),
        ('"0x00"', numbered(0)),
        (HASH, HASHED),
        (f'{{"blockHash":{HASH}}}', HASHED),
        (f'{{"blockHash":{HASH},"requireCanonical":true}}', HASHED),
        ('{"blockNumber":"0x10"}', numbered(16)),
        ('{"blockNumber":"latest"}', HEAD),
        ('{"blockNumber":"pending"}', "pending"),
        (f'{{"blockHash":{HASH},"blockNumber":"0x1"}}', "params"),
        ('{"blockHash":"0x1"}', "params"),
        ("{}", "params"),
        ('"0x"', "params"),
        ('"Latest"', "params"),
        ('"0x1234567890123456"', "params"),
        ("16", "params"),
        ("[]", "params"),
        ("true", "params"),
    ],
)
def test_selectors(selector: str, question: Question | str) -> None:
    assert ask("eth_getBlockByNumber", f"[{selector},false]") == question
    assert ask("eth_getBalance", f'["0x01",{selector}]') == question
    assert ask("eth_getStorageAt", f'["0x01","0x0",{selector}]') == question


def test_a_missing_selector_means_the_head() -> None:
    assert ask("eth_call", '[{"to":"0x1"}]') == HEAD


def test_a_fee_history_up_to_the_head_is_a_price() -> None:
    assert ask("eth_feeHistory", '["0x4","latest",[]]') == Question(Kind.PRICE)
    assert ask("eth_feeHistory", '["0x4","0x10",[]]') == numbered(16)
    assert ask("eth_feeHistory", '["0x4","pending",[]]') == "pending"


@pytest.mark.parametrize(
    ("filter_", "question"),
    [
        ('{"fromBlock":"0x1","toBlock":"0x9"}', numbered(9)),
        ('{"fromBlock":"0x9","toBlock":"0x1"}', "params"),
        ('{"fromBlock":"earliest","toBlock":"0x9"}', numbered(9)),
        ('{"fromBlock":"0x1"}', OTHER),
        ('{"fromBlock":"0x1","toBlock":"latest"}', OTHER),
        ('{"toBlock":"0x1"}', OTHER),
        ("{}", OTHER),
        ('{"fromBlock":"pending"}', "pending"),
        ('{"toBlock":"pending"}', "pending"),
        (f'{{"blockHash":{HASH}}}', HASHED),
        (f'{{"blockHash":{HASH},"fromBlock":"0x1"}}', "params"),
        ('"latest"', "params"),
    ],
)
def test_log_filters(filter_: str, question: Question | str) -> None:
    assert ask("eth_getLogs", f"[{filter_}]") == question


def test_logs_want_one_filter() -> None:
    assert ask("eth_getLogs", "[{},{}]") == "params"
    assert ask("eth_getLogs", "[]") == "params"


@pytest.mark.parametrize("method", [m.name for m in all_known() if m.name not in CACHEABLE])
def test_other_methods_are_not_for_the_cache(method: str) -> None:
    assert ask(method, "[]") == "method"


def test_nothing_that_writes_or_lives_on_a_node_is_for_the_cache() -> None:
    assert all(m.replay_safe for m in all_known() if m.name in CACHEABLE)


@given(st.sampled_from(sorted(CACHEABLE)), st.binary(max_size=64))
def test_it_never_raises(method: str, params: bytes) -> None:
    read(method, params)
    read(method, b"[" + params + b"]")

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.providers.branch import Header
from lasso_trio.routing.cache_policy import TELLING, Keep, Standing, blocks_in, decide, is_empty
from lasso_trio.routing.cache_question import Kind, Question

HEAD = Header(100, "0xh100", "0xh99")
AT = Standing(
    asked_at=5.0, head_then=HEAD, head=HEAD, final=36, height=100, hash_of=lambda number: f"0xh{number}", price_s=1.0
)
LATEST = Question(Kind.HEAD)
OTHER_TAG = Question(Kind.HEAD, latest=False)
HASHED = Question(Kind.HASHED)
PRICE = Question(Kind.PRICE)


def numbered(number: int) -> Question:
    return Question(Kind.NUMBERED, number)


def reply(result: Any) -> Reply:
    return check(b'{"jsonrpc":"2.0","id":1,"result":%b}' % json.dumps(result).encode(), 1)


def block(number: int, hash_: str | None = None) -> dict[str, str]:
    return {"number": hex(number), "hash": hash_ or f"0xh{number}"}


def receipt(number: int, hash_: str | None = None) -> dict[str, str]:
    return {"hash": "0xTX", "blockNumber": hex(number), "blockHash": hash_ or f"0xh{number}"}


def ask(question: Question, method: str, result: Any, at: Standing = AT) -> Keep | str:
    return decide(question, method, reply(result), at)


EVERY = [PRICE, LATEST, OTHER_TAG, numbered(1), numbered(99), HASHED]


@pytest.mark.parametrize("question", EVERY)
def test_errors_and_null_are_never_kept(question: Question) -> None:
    refused = check(b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"reverted"}}', 1)
    assert decide(question, "eth_call", refused, AT) == "error"
    assert ask(question, "eth_getBlockByNumber", None) == "null"


@pytest.mark.parametrize("empty", [[], {}, "", "0x"])
def test_empty_answers_are_kept_in_final_blocks_alone(empty: Any) -> None:
    assert ask(numbered(36), "eth_getLogs", empty) == Keep("final")
    for question in (PRICE, LATEST, OTHER_TAG, numbered(37), HASHED):
        assert ask(question, "eth_getLogs", empty) == "empty"


def test_a_list_that_is_empty_but_for_spaces_is_no_better() -> None:
    spaced = check(b'{"jsonrpc":"2.0","id":1,"result":[  ]}', 1)
    for question in (LATEST, OTHER_TAG, numbered(37), HASHED):
        for method in TELLING:
            assert decide(question, method, spaced, AT) in ("empty", "unconfirmed")


def test_a_price_holds_for_its_time() -> None:
    assert ask(PRICE, "eth_gasPrice", "0x1") == Keep("price", until=6.0)


def test_up_to_finality_everything_by_number_is_kept() -> None:
    assert ask(numbered(36), "eth_call", "0x1") == Keep("final")
    assert ask(numbered(0), "eth_getBlockByNumber", block(0)) == Keep("final")


def test_a_final_block_that_headers_know_under_another_hash_is_not_kept() -> None:
    assert ask(numbered(30), "eth_getBlockByNumber", block(30, "0xdead")) == "unconfirmed"
    assert ask(HASHED, "eth_getTransactionReceipt", receipt(30, "0xdead")) == "unconfirmed"
    blind = attrs.evolve(AT, hash_of=lambda _: None)
    assert ask(numbered(30), "eth_getBlockByNumber", block(30, "0xdead"), blind) == Keep("final")


def test_where_nothing_is_final_nothing_is_kept_as_final() -> None:
    nothing = attrs.evolve(AT, final=-1, head=None)
    assert ask(numbered(0), "eth_call", "0x1", nothing) == "head_unknown"


def test_above_it_a_block_is_kept_under_its_hash() -> None:
    assert ask(numbered(37), "eth_getBlockByNumber", block(37)) == Keep("branch", blocks=((37, "0xh37"),))
    assert ask(numbered(37), "eth_getBlockByNumber", block(37, "0xH37")) == Keep("branch", blocks=((37, "0xh37"),))


def test_a_block_of_another_branch_or_number_is_not() -> None:
    assert ask(numbered(37), "eth_getBlockByNumber", block(37, "0xdead")) == "unconfirmed"
    assert ask(numbered(37), "eth_getBlockByNumber", block(38)) == "unconfirmed"
    blind = attrs.evolve(AT, hash_of=lambda _: None)
    assert ask(numbered(37), "eth_getBlockByNumber", block(37), blind) == "unconfirmed"


def test_what_is_named_by_hash_is_kept_by_the_block_it_tells() -> None:
    assert ask(HASHED, "eth_getTransactionReceipt", receipt(36)) == Keep("final")
    assert ask(HASHED, "eth_getTransactionReceipt", receipt(37)) == Keep("branch", blocks=((37, "0xh37"),))
    assert ask(HASHED, "eth_getTransactionReceipt", receipt(37, "0xdead")) == "unconfirmed"
    assert ask(HASHED, "eth_getBlockByHash", block(99)) == Keep("branch", blocks=((99, "0xh99"),))
    assert ask(HASHED, "eth_getLogs", [receipt(98), receipt(98)]) == Keep("branch", blocks=((98, "0xh98"),))


def test_a_pending_transaction_is_not_kept() -> None:
    pending = {"hash": "0xTX", "blockNumber": None, "blockHash": None}
    assert ask(HASHED, "eth_getTransactionByHash", pending) == "unconfirmed"


def test_state_by_hash_does_not_tell_its_block() -> None:
    assert ask(HASHED, "eth_getBalance", "0x1") == "unconfirmed"


def test_state_by_number_above_finality_is_kept_until_the_next_head() -> None:
    assert ask(numbered(37), "eth_getBalance", "0x1") == Keep("head", head="0xh100")
    assert ask(numbered(101), "eth_getBalance", "0x1") == "behind_head"


def test_logs_up_there_are_too_for_another_branch_may_have_them_in_other_blocks() -> None:
    assert ask(numbered(99), "eth_getLogs", [receipt(98), receipt(99)]) == Keep("head", head="0xh100")
    assert ask(numbered(500), "eth_getLogs", [receipt(98)]) == Keep("head", head="0xh100")
    assert ask(numbered(99), "eth_getLogs", [receipt(36), receipt(98, "0xdead")]) == "unconfirmed"
    assert ask(OTHER_TAG, "eth_getLogs", [receipt(36)]) == Keep("head", head="0xh100")


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_blockNumber", "0x64"),
        ("eth_getBlockByNumber", block(100)),
        ("eth_getBlockReceipts", [receipt(100), receipt(100)]),
        ("eth_call", "0x1"),
    ],
)
def test_the_head_is_kept_until_the_next(method: str, result: Any) -> None:
    assert ask(LATEST, method, result) == Keep("head", head="0xh100")
    assert ask(LATEST, method, result, attrs.evolve(AT, head=None)) == "head_unknown"
    assert ask(LATEST, method, result, attrs.evolve(AT, head_then=None)) == "head_unknown"
    assert ask(LATEST, method, result, attrs.evolve(AT, head_then=Header(99, "0xh99", "0xh98"))) == "head_moved"
    assert ask(LATEST, method, result, attrs.evolve(AT, height=99)) == "behind_head"


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_blockNumber", "0x63"),
        ("eth_blockNumber", "0x65"),
        ("eth_blockNumber", "what"),
        ("eth_blockNumber", 100),
        ("eth_getBlockByNumber", block(99)),
        ("eth_getBlockByNumber", block(100, "0xdead")),
        ("eth_getBlockReceipts", [receipt(100), receipt(99)]),
    ],
)
def test_another_head_than_the_known_one_is_not_kept(method: str, result: Any) -> None:
    assert ask(LATEST, method, result) == "behind_head"


def test_the_safe_and_the_final_block_move_with_the_head() -> None:
    assert ask(OTHER_TAG, "eth_getBlockByNumber", block(36)) == Keep("head", head="0xh100")
    assert ask(OTHER_TAG, "eth_getBlockByNumber", block(68)) == Keep("head", head="0xh100")
    assert ask(OTHER_TAG, "eth_getBlockByNumber", block(68, "0xdead")) == "unconfirmed"
    assert ask(OTHER_TAG, "eth_getBalance", "0x1") == Keep("head", head="0xh100")


def test_blocks_that_cannot_be_read_are_none() -> None:
    for result in ("0x1", [receipt(1), {}], {"number": "1", "hash": "0x"}, {"number": "0xzz", "hash": "0x"}, [1], {}):
        assert blocks_in("eth_getLogs", reply(result)) == ()
    assert blocks_in("eth_call", reply(block(1))) == ()


def test_empty_is_seen_by_the_text() -> None:
    assert is_empty(reply("0x"))
    assert not is_empty(reply("0x0"))
    assert not is_empty(reply([0]))


@given(
    question=st.sampled_from([LATEST, OTHER_TAG, HASHED, *map(numbered, (0, 36, 37, 99, 100, 101))]),
    method=st.sampled_from(sorted(TELLING)),
    told=st.lists(st.tuples(st.integers(30, 105), st.booleans()), min_size=1, max_size=3),
    many=st.booleans(),
)
def test_no_block_is_kept_that_headers_know_otherwise(
    question: Question, method: str, told: list[tuple[int, bool]], many: bool
) -> None:
    blocks = [receipt(number, None if real else "0xdead") for number, real in told]
    kept = ask(question, method, blocks if many else blocks[0])
    said = told if many else told[:1]
    if isinstance(kept, Keep):
        assert all(real for _, real in said)
    if isinstance(kept, Keep) and kept.why == "branch":
        assert {number for number, _ in kept.blocks} == {number for number, _ in said if number > AT.final}

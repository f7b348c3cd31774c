from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.providers.block_time import BlockTime
from lasso_trio.providers.head import Head
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.routing.winning import is_behind, is_weak, patience_s, worth_of


def method(name: str) -> Method:
    found = known(name)
    assert found is not None
    return found


def result(text: str) -> Reply:
    return check(b'{"jsonrpc":"2.0","id":1,"result":%b}' % text.encode(), 1)


@pytest.mark.parametrize("behind", [True, False])
def test_a_null_is_weak_whoever_says_it(behind: bool) -> None:
    assert is_weak(method("eth_getTransactionReceipt"), result("null"), behind)


@pytest.mark.parametrize("name", ["eth_getLogs", "eth_getBlockReceipts", "eth_call", "eth_getCode"])
@pytest.mark.parametrize("empty", ["[]", '"0x"', "{}"])
def test_an_empty_answer_is_weak_from_one_that_is_behind(name: str, empty: str) -> None:
    assert is_weak(method(name), result(empty), behind=True)
    assert not is_weak(method(name), result(empty), behind=False)


@pytest.mark.parametrize("said", ['"0x0"', "[0]", "true", '"0x01"', "0"])
def test_what_says_something_is_not(said: str) -> None:
    assert not is_weak(method("eth_call"), result(said), behind=True)


def test_an_empty_answer_to_what_has_no_block_is_not() -> None:
    assert not is_weak(method("eth_getBalance"), result('"0x"'), behind=True)


def test_an_error_is_judged_elsewhere() -> None:
    reverted = check(b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted"}}', 1)
    assert not is_weak(method("eth_call"), reverted, behind=True)


@pytest.mark.parametrize(
    ("height", "told_at", "behind"),
    [
        (1000, 99.0, False),
        (1001, 99.0, False),
        (999, 99.0, False),  # asked just before the block came
        (998, 99.0, True),
        (998, 87.0, False),  # asked a block's time ago: it is likely to have the next one by now
        (997, 87.0, True),
        (999, 60.0, False),
        (998, 60.0, True),  # stale: nobody knows whether it goes on at all
        (None, 99.0, False),
    ],
)
def test_who_is_behind_is_two_blocks_below_the_tip_with_those_that_may_have_come_since(
    height: int | None, told_at: float, behind: bool
) -> None:
    heads = ChainHeads({}, BlockTime(12.0), tip=1000)
    assert is_behind(Head(height=height, at=told_at, poll_s=12.0), heads, 100.0) is behind


def test_the_weak_answer_of_one_that_is_behind_waits_longer_but_not_for_good() -> None:
    assert patience_s(0.05, behind=False) == 0.05
    assert patience_s(0.05, behind=True) == 0.2


def test_nobody_is_behind_a_tip_that_nobody_knows() -> None:
    assert not is_behind(Head(height=1, at=99.0), ChainHeads({}), 100.0)


def test_of_weak_ones_answers_count_more_than_errors_and_those_from_the_tip_more_than_others() -> None:
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    assert [worth_of(is_error=error, behind=behind) for error, behind in kinds] == [0, 1, 2, 3]

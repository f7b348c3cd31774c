from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.routing.winning import is_weak


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

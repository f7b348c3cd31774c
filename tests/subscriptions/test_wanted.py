from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.subscriptions.wanted import Kind, LogFilter, kind_of, read

A, B = "0x" + "aA" * 20, "0x" + "0b" * 20
T, U = "0x" + "Cc" * 32, "0x" + "0d" * 32


def params(*values: object) -> bytes:
    return json.dumps(values).encode()


def key(filter_: object) -> str:
    return read(params("logs", filter_)).key


def test_each_kind_is_read_with_what_to_ask_upstream() -> None:
    assert (read(params("newHeads")).kind, read(params("newHeads")).params) == (Kind.HEADS, b'["newHeads"]')
    assert read(params("logs")).params == b'["logs",{}]'
    assert read(params("syncing")).params == b'["syncing"]'
    assert read(params("newPendingTransactions", False)).params == b'["newPendingTransactions"]'
    assert read(params("newPendingTransactions", True)).params == b'["newPendingTransactions",true]'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"address": A}, {"address": [A.lower()]}),
        ({"address": [A, B]}, {"address": [B, A.lower(), A]}),
        ({"address": None, "topics": None}, {"address": [], "topics": []}),
        ({"topics": [T]}, {"topics": [[T.lower(), T]]}),
        ({"topics": [None, [U, T]]}, {"topics": [[], [T, U]]}),
        ({"topics": [[T, None], U]}, {"topics": [None, U.lower()]}),
        ({"address": A, "toBlock": "latest", "fromBlock": "latest"}, {"address": A.lower(), "fromBlock": "0x1"}),
    ],
)
def test_equal_filters_share_a_key(one: object, other: object) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"address": A}, {}),
        ({"topics": [T]}, {"topics": [None, T]}),
        ({"topics": [T]}, {"topics": [T, None]}),  # the second asks for logs with two topics
        ({"topics": [[T, U]]}, {"topics": [T, U]}),
    ],
)
def test_different_filters_do_not(one: object, other: object) -> None:
    assert key(one) != key(other)


def test_a_filter_is_given_upstream_in_its_shortest_spelling() -> None:
    filter_ = read(params("logs", {"address": [A], "topics": [None, [U, T]]})).filter
    assert filter_ == LogFilter((A.lower(),), (None, (U, T.lower())))
    assert filter_.members() == {"address": A.lower(), "topics": [None, (U, T.lower())]}


@pytest.mark.parametrize(
    ("value", "number"),
    [("0x10", 16), ("0X1F", 31), ("earliest", 0), ("latest", None), ("pending", None), (None, None)],
)
def test_where_to_begin_may_be_said_of_heads_and_logs(value: object, number: int | None) -> None:
    assert read(params("newHeads", {"fromBlock": value})).from_block == number
    assert read(params("logs", {"fromBlock": value})).from_block == number
    assert read(params("logs", {"fromBlock": value})).key == '["logs",{}]'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[", "invalid params"),
        (b"[]", "expected subscription name as first argument"),
        (b"{}", "expected subscription name as first argument"),
        (b"[7]", "expected subscription name as first argument"),
        (b'["logs", {}, 1]', "too many arguments, want at most 2"),
        (b'["nothing"]', 'no "nothing" subscription in eth namespace'),
        (b'["newHeads", 1]', "invalid argument 1: an object is expected"),
        (b'["logs", "x"]', "invalid argument 1: an object is expected"),
        (b'["newPendingTransactions", 1]', "invalid argument 1: a boolean is expected"),
        (b'["newHeads", {"fromBlock": 5}]', "invalid argument 1: fromBlock must be a block number in hex"),
        (b'["newHeads", {"fromBlock": []}]', "invalid argument 1: fromBlock must be a block number in hex"),
        (b'["logs", {"topics": "0x"}]', "invalid argument 1: topics must be a list"),
        (b'["logs", {"topics": [null, null, null, null, null]}]', "exceed max topics"),
        (b'["logs", {"address": 5}]', "invalid argument 1: invalid address: a hex string with 0x is expected"),
        (b'["logs", {"address": "0x12"}]', "invalid length 2 after decoding; want 40 for address"),
        (b'["logs", {"topics": [["0x12"]]}]', "invalid length 2 after decoding; want 64 for topic"),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_words_of_nodes(text: bytes, message: str) -> None:
    with pytest.raises(RpcError) as refused:
        read(text)
    assert refused.value.code == -32602
    assert message in str(refused.value)


def test_a_filter_has_a_bounded_number_of_choices() -> None:
    with pytest.raises(RpcError, match="too many choices"):
        read(params("logs", {"address": [f"0x{n:040x}" for n in range(1001)]}))


hexes = st.sampled_from([A, B, A.lower()])
topics = st.sampled_from([T, U, T.lower(), None])


@given(
    st.one_of(st.none(), hexes, st.lists(hexes, max_size=4)),
    st.lists(st.one_of(topics, st.lists(topics, max_size=3)), max_size=4),
)
def test_what_is_asked_upstream_reads_back_as_the_same_wish(address: object, topics: object) -> None:
    wanted = read(params("logs", {"address": address, "topics": topics}))
    assert read(wanted.params) == wanted


@given(st.binary(max_size=60))
def test_no_text_is_answered_by_anything_but_a_wish_or_a_refusal(text: bytes) -> None:
    for given_ in (text, b'["logs",%b]' % text):
        with suppress(RpcError):
            assert read(given_).params


@pytest.mark.parametrize(
    ("key", "kind"), [('["newHeads"]', "newHeads"), ('["logs",{"address":"0x12"}]', "logs"), ("[]", "")]
)
def test_the_kind_is_a_label_and_the_filter_is_not(key: str, kind: str) -> None:
    assert kind_of(key) == kind

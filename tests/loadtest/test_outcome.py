from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.loadtest.outcome import OK, Asked, outcome_of

CALL = Asked.of(b'{"jsonrpc":"2.0","id":1,"method":"a"}')
TWO = Asked.of(b'[{"id":1,"method":"a"},{"id":"x","method":"b"}]')


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', OK),
        (200, b'{"jsonrpc":"2.0","id":1,"result":null}', OK),
        (200, b'{"id":1,"error":{"code":-32005,"message":"slow down"}}', "error -32005"),
        (200, b'{"id":null,"error":{"code":-32700,"message":"?"}}', "error -32700"),
        (200, b'{"id":1}', "not an answer"),
        (200, b'{"id":2,"result":1}', "wrong id"),
        (200, b'{"result":1}', "wrong id"),
        (200, b'{"id":"1","result":1}', "wrong id"),
        (200, b'{"id":[1],"result":1}', "not an answer"),
        (200, b"[]", "not an answer"),
        (200, b'[{"id":1,"result":1}]', "not an answer"),
        (200, b"<html>", "not an answer"),
        (200, b"[" * 100_000, "not an answer"),
        (200, b"", "not an answer"),
        (429, b'{"error":{"code":-32005}}', "HTTP 429"),
    ],
)
def test_an_answer_is_judged_by_status_then_by_what_it_says(status: int, body: bytes, outcome: str) -> None:
    assert outcome_of(status, body, CALL) == outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'[{"id":1,"result":1},{"id":"x","result":2}]', OK),
        (b'[{"id":"x","result":2},{"id":1,"result":1}]', OK),
        (b'[{"id":1,"result":1},{"id":"x","error":{"code":3}}]', "error 3"),
        (b'[{"id":1,"result":1},{"id":"x"}]', "not an answer"),
        (b'{"id":1,"result":1}', "not an answer"),
        (b"[]", "answers missing"),
        (b'[{"id":"x","result":1}]', "answers missing"),
        (b'[{"id":1,"result":1},{"id":1,"result":1}]', "wrong id"),
        (b'[{"id":1,"result":1},{"id":"x","result":2},{"id":3,"result":2}]', "wrong id"),
        (b'{"id":null,"error":{"code":-32600}}', "error -32600"),
    ],
)
def test_a_batch_is_answered_when_each_of_its_calls_is(body: bytes, outcome: str) -> None:
    assert outcome_of(200, body, TWO) == outcome


@given(st.lists(st.text() | st.integers() | st.none(), min_size=1, max_size=8), st.randoms())
def test_whatever_the_ids_an_answer_to_each_in_any_order_is_one(ids: list[object], random: Random) -> None:
    asked = Asked.of(json.dumps([{"id": id_, "method": "a"} for id_ in ids]).encode())
    random.shuffle(ids)
    assert outcome_of(200, json.dumps([{"id": id_, "result": 1} for id_ in ids]).encode(), asked) == OK
    fewer = json.dumps([{"id": id_, "result": 1} for id_ in ids[1:]]).encode()
    assert outcome_of(200, fewer, asked) == "answers missing"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id":1}', b'{"method":"a"}', b'{"id":{},"method":"a"}', b"no", b""])
def test_what_asks_nothing_is_no_request(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Asked.of(body)

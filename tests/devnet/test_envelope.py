from __future__ import annotations

import json

import pytest

from lasso_trio.devnet import envelope
from lasso_trio.devnet.envelope import Call
from lasso_trio.devnet.errors import NodeError
from lasso_trio.devnet.faults import Failure, Kind
from lasso_trio.devnet.json_types import Json


def echo(call: Call) -> Json:
    if call.method == "fail":
        raise NodeError(-32000, "no", {"why": 1})
    return call.method


def ask(body: bytes, failure: Failure | None = None) -> bytes:
    return envelope.answer(envelope.decode(body), echo, failure)


@pytest.mark.parametrize("id_", [b"1", b"9223372036854775808", b'"abc"', b"1.50", b"null", b'"\\u00e9"'])
def test_ids_come_back_byte_for_byte(id_: bytes) -> None:
    assert ask(b'{"id":%b,"method":"m"}' % id_) == b'{"jsonrpc":"2.0","id":%b,"result":"m"}' % id_


@pytest.mark.parametrize(
    ("body", "code"), [(b"", -32700), (b"{", -32700), (b"[1", -32700), (b"[]", -32600), (b"1", -32600), (b"{}", -32600)]
)
def test_what_is_no_request_is_an_error_with_null_id(body: bytes, code: int) -> None:
    answer = json.loads(ask(body))
    assert (answer["id"], answer["error"]["code"]) == (None, code)


def test_a_batch_answers_each_call_in_order_but_no_notifications() -> None:
    answers = json.loads(ask(b'[{"id":2,"method":"a"},{"method":"b"},7,{"id":1,"method":"fail"}]'))
    assert answers[0] == {"jsonrpc": "2.0", "id": 2, "result": "a"}
    assert answers[1]["error"]["code"] == -32600
    assert answers[2] == {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no", "data": {"why": 1}}}
    assert len(answers) == 3


@pytest.mark.parametrize("body", [b'{"method":"a"}', b'[{"method":"a"}]'])
def test_notifications_alone_get_nothing(body: bytes) -> None:
    assert ask(body) == b""


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (Kind.RPC, {"id": 1, "error": {"code": -5, "message": "m"}}),
        (Kind.WRONG_ID, {"id": 987654321, "result": "a"}),
        (Kind.BOTH, {"id": 1, "result": "a", "error": {"code": -5, "message": "m"}}),
        (Kind.NEITHER, {"id": 1}),
    ],
)
def test_a_failure_spoils_the_answers_of_its_methods_only(kind: Kind, members: dict[str, Json]) -> None:
    failure = Failure(kind, methods=["a"], code=-5, message="m")
    answers = json.loads(ask(b'[{"id":1,"method":"a"},{"id":2,"method":"b"}]', failure))
    assert answers == [{"jsonrpc": "2.0", **members}, {"jsonrpc": "2.0", "id": 2, "result": "b"}]


def test_a_notification_of_a_subscription_has_no_id() -> None:
    assert json.loads(envelope.notification("0x1", {"a": 1})) == {
        "jsonrpc": "2.0",
        "method": "eth_subscription",
        "params": {"subscription": "0x1", "result": {"a": 1}},
    }

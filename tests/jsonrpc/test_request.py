from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Invalid, Request, decode

IDS = [
    "0", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551616123", "1.0", "1e3", "-0.50E+2",
    "null", '""', '"abc"', '"\\u0041\\/\\n"', '"\u00e9\U0001f600"', '"{\\"id\\":1}"',
]  # fmt: skip
"""Each must come back as the very bytes it came as."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
spaces = st.sampled_from(["", " ", "\n", "\t \r\n"])


@st.composite
def spelled(draw: st.DrawFn, members: dict[str, str]) -> bytes:
    """A JSON object of `members` (name to JSON text) in any order, with any white space between the tokens."""
    parts = []
    for name, text in draw(st.permutations(list(members.items()))):
        a, b, c, d = (draw(spaces) for _ in range(4))
        parts.append(f"{a}{json.dumps(name)}{b}:{c}{text}{d}")
    return f"{draw(spaces)}{{{','.join(parts) or ' '}}}{draw(spaces)}".encode()


def one(body: bytes) -> Request:
    request = decode(body)
    assert isinstance(request, Request), request
    return request


def refusal(body: bytes) -> tuple[int, str, bytes]:
    """Code, text and id of what is answered instead."""
    invalid = decode(body)
    assert isinstance(invalid, Invalid), invalid
    return invalid.error.code, invalid.error.message, invalid.id


# What passes


@pytest.mark.parametrize("id_", IDS)
def test_the_id_is_kept_byte_for_byte(id_: str) -> None:
    request = one(f'{{"jsonrpc":"2.0","id": {id_} ,"method":"eth_call"}}'.encode())
    assert request.id == request.reply_id == id_.encode()


def test_a_request_without_an_id_is_a_notification_and_one_with_null_is_not() -> None:
    notification, call = one(b'{"method":"eth_call"}'), one(b'{"method":"eth_call","id":null}')
    assert (notification.id, notification.reply_id) == (None, b"null")
    assert call.id == b"null"


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ("", b"[]"),
        (',"params":null', b"[]"),
        (',"params":[]', b"[]"),
        (',"params":[1, 2.0,"x"]', b'[1, 2.0,"x"]'),
        (',"params":{"a": 1e3}', b'[{"a": 1e3}]'),
        (',"params":"0x1"', b'["0x1"]'),
        (',"params":7', b"[7]"),
        (',"params":false', b"[false]"),
    ],
)
def test_params_become_an_array_and_are_otherwise_untouched(given_: str, sent: bytes) -> None:
    assert one(f'{{"id":1,"method":"eth_call"{given_}}}'.encode()).params == sent


def test_the_version_may_be_absent_or_spelt_with_escapes() -> None:
    assert one(b'{"id":1,"method":"eth_call"}').id == b"1"
    assert one(b'{"id":1,"method":"eth_call","jsonrpc":"\\u0032.0"}').id == b"1"


def test_names_spelt_with_escapes_are_the_same_names() -> None:
    request = one(b'{"\\u0069d":1,"me\\u0074hod":"eth\\u005fchainId"}')
    assert (request.id, request.method.name, request.method.raw) == (b"1", "eth_chainId", b'"eth_chainId"')
    assert one(b'{"id":1,"method":"eth_chainId"}').method is request.method


def test_an_unknown_method_is_sent_on_as_it_was_spelt() -> None:
    assert one('{"id":1,"method":"é_x"}'.encode()).method.raw == '"é_x"'.encode()


@given(data=st.data(), params=st.lists(json_values, max_size=3), id_=st.sampled_from(IDS), extra=json_values)
def test_order_white_space_and_further_members_do_not_matter(
    data: st.DataObject, params: list[Any], id_: str, extra: object
) -> None:
    members = {
        "jsonrpc": '"2.0"',
        "method": '"eth_call"',
        "params": json.dumps(params),
        "id": id_,
        "x": json.dumps(extra),
    }
    request = one(data.draw(spelled(members)))
    assert (request.id, request.method.name) == (id_.encode(), "eth_call")
    assert json.loads(request.params) == params


@given(text=st.text() | st.binary() | json_values.map(json.dumps) | st.text(alphabet='{}[]":,0 \\ditmeho\n'))
def test_any_body_is_a_request_a_refusal_or_a_parse_error_exactly_as_json_has_it(text: str | bytes) -> None:
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        value = json.loads(body.decode(), parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError, RecursionError):
        with pytest.raises(RpcError) as failure:
            decode(body)
        assert (failure.value.code, failure.value.status) == (-32700, 400)
        return
    if '"\\ud' not in ascii(value):  # lone surrogates: valid grammar, but no Unicode text
        decoded = decode(body)
        assert isinstance(decoded, list) == isinstance(value, list)


# What is refused


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[", b"[1", b"x", b'{"method":"a"} x', b'{"method":"a","id":01}', b'{"method":"a","id":NaN}',
        b'{"method":"a","id":.5}', b'{"method":"a","params":[1,]}', b'{"method":"a",}', b'[{"method":"a"},]', b"[{]",
        b'{"method":"a","id":"\n"}', b'{"method":"a","id":"\\q"}', b'{"method":"a","id":"\xff"}', b'\xff{"method":"a"}',
        b'{"method":"a","params":["\xed\xa0\x80"]}', b'\xef\xbb\xbf{"method":"a"}', b'[{"method":"a","id":01}]',
        b'{"method":"\\ud800"}', b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
    ],
)  # fmt: skip
def test_what_is_not_json_is_a_parse_error_with_status_400(body: bytes) -> None:
    with pytest.raises(RpcError) as failure:
        decode(body)
    assert failure.value.encode() == (
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error: Invalid JSON"}}'
    )
    assert failure.value.status == 400


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"method":"a","params":' + b"[" * 200_000, b"[" + b'{"method":"a","params":' + b"[" * 200_000,
     b"[" * 200_000 + b"]" * 200_000, b'[{"method":"a","x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001 + b"]"],
    ids=["cut", "cut params", "cut params in a batch", "whole", "whole in a batch"],
)  # fmt: skip
def test_bottomless_nesting_is_a_parse_error_and_no_crash(body: bytes) -> None:
    with pytest.raises(RpcError) as failure:
        decode(body)
    assert failure.value.code == -32700


@pytest.mark.parametrize("body", [b"42", b'"x"', b"null", b"true", b"{}", b'{"params":[]}', b'{"method":""}'])
def test_what_is_not_a_request_is_invalid_with_id_null(body: bytes) -> None:
    assert refusal(body) == (-32600, "Invalid Request", b"null")


@pytest.mark.parametrize("method", [b"1", b"null", b"[]", b'{"a":1}', b"true", b'""'])
def test_a_method_that_is_no_name_is_invalid_with_the_requests_id(method: bytes) -> None:
    assert refusal(b'{"id":"x","method":%b}' % method) == (-32600, "Invalid Request", b'"x"')


@pytest.mark.parametrize("version", [b'"1.0"', b"2.0", b"2", b"null", b'""', b'["2.0"]'])
def test_another_version_is_invalid(version: bytes) -> None:
    code, text, id_ = refusal(b'{"jsonrpc":%b,"id":5,"method":"eth_call"}' % version)
    assert (code, text, id_) == (-32600, 'Invalid Request: jsonrpc must be "2.0"', b"5")


@pytest.mark.parametrize("id_", [b"{}", b"[1]", b"true", b"false"])
def test_an_id_that_is_neither_string_number_nor_null_is_refused_with_a_reason(id_: bytes) -> None:
    invalid = decode(b'{"jsonrpc":"2.0","id":%b,"method":"eth_call"}' % id_)
    assert isinstance(invalid, Invalid)
    answer = json.loads(invalid.error.encode(invalid.id))
    assert (answer["id"], answer["error"]["code"]) == (None, -32602)
    assert answer["error"]["message"] == "Invalid JSON-RPC request payload"
    assert "id" in answer["error"]["data"]["reason"]


# Batches


def test_a_batch_is_a_list_in_which_each_item_stands_for_itself() -> None:
    items = decode(b' [{"id":1,"method":"eth_call"}, {}, 42, {"method":"x"}, [1], {"id":{},"method":"x"}]')
    assert isinstance(items, list)
    shapes = [item.id if isinstance(item, Request) else (item.error.code, item.id) for item in items]
    assert shapes == [b"1", (-32600, b"null"), (-32600, b"null"), None, (-32600, b"null"), (-32602, b"null")]


def test_an_empty_batch_is_an_empty_list() -> None:
    assert decode(b"[]") == decode(b" [ ] ") == []


@given(st.lists(st.sampled_from(IDS), max_size=8), spaces)
def test_a_batch_keeps_its_order_and_its_ids(ids: list[str], space: str) -> None:
    calls = [f'{{"method":"eth_call","id":{id_}}}{space}' for id_ in ids]
    items = decode(f"{space}[{','.join(calls)}]".encode())
    assert isinstance(items, list)
    assert [item.id for item in items] == [id_.encode() for id_ in ids]


def test_a_batch_beyond_the_limit_is_refused_before_its_items_are_looked_at() -> None:
    assert isinstance(decode(b"[1,2,3]", 3), list)
    with pytest.raises(RpcError) as failure:
        decode(b"[1,2,3,4]", 3)
    assert (failure.value.code, failure.value.message) == (-32600, "Invalid Request: batch too large")
    assert isinstance(decode(b'{"method":"eth_call"}', 0), Request)


# What is remembered


def test_names_made_up_by_clients_do_not_fill_the_memory() -> None:
    from lasso_trio.jsonrpc import methods, request

    for i in range(5000):
        one(b'{"id":1,"method":"made_up_%d"}' % i)
        one(b'{"id":1,"method":"\\u006dade_up_%d"}' % i)
    assert len(methods._unknown) <= 1024
    assert len(request._methods) <= 2048
    assert one(b'{"id":1,"method":"eth_call"}').method.row == "eth_call"
    assert one(b'{"id":1,"method":"made_up_4999"}').method.name == "made_up_4999"

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.reply import BrokenReply, check, encode_request

CLIENT_IDS = [b"1", b"9223372036854775808", b"1.0", b"null", b'"abc"', b'"\\u0041\\n"', '"é"'.encode()]
OK = '{"jsonrpc":"2.0","id":5,"result":1}'

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
texts = json_values.map(json.dumps) | json_values.map(lambda value: json.dumps(value, ensure_ascii=False, indent=1))
"""JSON texts as nodes may spell them: with and without escapes and white space."""
unusual = st.sampled_from(
    ['"}],\\"id\\":5"', "1e3", "1.0", "18446744073709551616000", '"\\"error\\":"', "[ ]", "{ }", "-0"]
)
names = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=5)
spaces = st.sampled_from(["", " ", "\n", "\t \r\n"])


def _speakable(text: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in json.dumps(json.loads(text), ensure_ascii=False))


values = (texts | unusual).filter(_speakable)


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """A good reply to request 5, the same with `<id>` where the 5 stood, and whether it is an error."""
    failed = draw(st.booleans())
    outcome = (
        {"error": f'{{"code":-32000,"message":"no","data":{draw(values)}}}'} if failed else {"result": draw(values)}
    )
    members = {"jsonrpc": '"2.0"', "id": "<id>", **outcome}
    for name in draw(st.lists(names, unique=True, max_size=3)):
        if name not in ("jsonrpc", "id", "result", "error", "method"):
            members[name] = draw(values)
    parts = []
    for name, text in draw(st.permutations(list(members.items()))):
        a, b, c, d = (draw(spaces) for _ in range(4))
        key = "".join(f"\\u{ord(c):04x}" for c in name) if draw(st.integers(0, 9)) == 0 else name
        spelt = f'"{key}"' if key != name or name in outcome or name in ("jsonrpc", "id") else json.dumps(name)
        parts.append(f"{a}{spelt}{b}:{c}{text}{d}")
    head, tail = draw(spaces), draw(spaces)
    template = f"{head}{{{','.join(parts)}}}{tail}"
    return template.replace("<id>", "5").encode(), template.encode(), failed


def reason(text: str | bytes, id_: int = 5) -> str:
    with pytest.raises(BrokenReply) as broken:
        check(text if isinstance(text, bytes) else text.encode(), id_)
    return broken.value.reason


# What passes


@given(replies(), st.sampled_from(CLIENT_IDS))
def test_a_good_reply_comes_back_byte_for_byte_but_for_the_id(reply: tuple[bytes, bytes, bool], client: bytes) -> None:
    body, template, failed = reply
    checked = check(body, 5)
    assert checked.splice(client) == template.replace(b"<id>", client)
    assert (checked.error is not None) == failed
    assert failed == (checked.result_size == 0)


@pytest.mark.parametrize("client", CLIENT_IDS)
def test_the_common_reply_takes_any_id(client: bytes) -> None:
    reply = check(b'{"jsonrpc":"2.0","id":12,"result":"0x1"}', 12)
    assert reply.splice(client) == b'{"jsonrpc":"2.0","id":%b,"result":"0x1"}' % client
    assert reply.result_size == 5


@pytest.mark.parametrize(
    "result",
    ["1e3", "1.0", "-0.0", "123456789012345678901234567890", "[1e3,1.0]", "null", "false", '""', "{}", "[]", " 1 ",
     '"\\"error\\":{\\"code\\":1}"', '{"error":{"code":1},"id":9,"jsonrpc":"1.0"}', '"\\ud83d\\ude00"', '"é"'],
)  # fmt: skip
def test_results_keep_their_spelling_and_are_never_taken_for_errors(result: str) -> None:
    for text in ('{"jsonrpc":"2.0","id":%s,"result":%s}', '{"id": %s ,"result":%s,"jsonrpc":"2.0"}'):
        reply = check((text % (5, result)).encode(), 5)
        assert reply.error is None
        assert reply.splice(b'"x"').decode() == text % ('"x"', result)


def test_white_space_behind_the_reply_is_no_trailing_text() -> None:
    assert check(OK.encode() + b"\r\n", 5).splice(b"1") == b'{"jsonrpc":"2.0","id":1,"result":1}\r\n'


def test_an_error_keeps_its_code_message_and_the_spelling_of_its_data() -> None:
    body = b'{"jsonrpc":"2.0","id":5,"error":{"code":3,"message":"execution reverted","data":{"x":1e3},"y":2}}'
    error = check(body, 5).error
    assert error is not None
    assert (error.code, error.text, bytes(error.data)) == (3, "execution reverted", b'{"x":1e3}')
    assert check(body, 5).splice(b"7") == body.replace(b'"id":5', b'"id":7')


def test_an_error_whose_message_is_no_string_has_no_text() -> None:
    error = check(b'{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":{"a":1}}}', 5).error
    assert error is not None
    assert error.text == ""


@pytest.mark.parametrize("id_", ['"id":null,', ""])
def test_an_error_without_our_id_is_taken_because_a_node_may_not_have_read_it(id_: str) -> None:
    reply = check(f' {{{id_}"jsonrpc":"2.0","error":{{"code":-32700,"message":"parse"}}}}'.encode(), 5)
    answer = json.loads(reply.splice(b'"x"'))
    assert (answer["id"], answer["error"]["code"], answer["jsonrpc"]) == ("x", -32700, "2.0")


def test_an_error_of_null_beside_a_result_is_no_error() -> None:
    reply = check(b'{"jsonrpc":"2.0","id":5,"result":7,"error":null}', 5)
    assert reply.error is None
    assert json.loads(reply.splice(b"1"))["result"] == 7


@pytest.mark.parametrize(
    "layout", ['{{"jsonrpc":"2.0","id":5,"result":{}}}', ' {{"x":0,"result":{},"id":5,"jsonrpc":"2.0"}}']
)
def test_a_call_trace_as_deep_as_the_evm_goes_is_a_good_reply(layout: str) -> None:
    trace = '{"calls":[' * 1024 + "]}" * 1024
    body = layout.format(trace).encode()
    reply = check(body, 5)
    assert reply.splice(b"6") == body.replace(b'"id":5', b'"id":6')
    assert (reply.error, reply.result_size, reply.result_first) == (None, len(trace), ord("{"))


def outcome_of(body: bytes) -> tuple[object, ...]:
    try:
        reply = check(body, 5)
    except BrokenReply as broken:
        return (broken.reason,)
    return (reply.splice(b"1"), reply.error is None, reply.result_size, reply.result_first)


@given(
    replies().map(lambda reply: reply[0]), st.integers(0, 200), st.sampled_from([b"", b'"', b"\\", b"}", b"[", b"1"])
)
def test_a_reply_too_deep_for_the_decoder_fares_no_better_and_no_worse(body: bytes, at: int, dirt: bytes) -> None:
    def refuse(_: bytes) -> None:
        raise RecursionError

    body = body[:at] + dirt + body[at:]
    usual = outcome_of(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lasso_trio.jsonrpc.reply._decode", refuse)
        assert outcome_of(body) == usual


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('{"jsonrpc":"2.0","id":6,"result":%s}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":5,"result":%s,"result":1}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"result":%s,"error":{}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"","data":%s}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"result":%s,"x":01}', "invalid_json"),
        ('{"jsonrpc":"2.0","id":5,"result":%s]', "invalid_json"),
        ('[{"jsonrpc":"2.0","id":5,"result":%s}]', "invalid_json"),
    ],
)
def test_a_deep_reply_is_checked_like_any_other(reply: str, why: str) -> None:
    assert reason(reply % ("[" * 2048 + "]" * 2048)) == why


# What is broken


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("Too Many Requests", "invalid_json"),
        ("<html></html>", "invalid_json"),
        ("42", "invalid_json"),
        (OK[:-1], "invalid_json"),
        (OK + "x", "invalid_json"),
        (OK + OK, "invalid_json"),
        (OK + "\0", "invalid_json"),
        (f"[{OK}]", "unexpected_batch"),
        (" []", "unexpected_batch"),
        ("[1", "invalid_json"),
        ("{}", "unsupported_version"),
        ('{"id":5,"result":1}', "unsupported_version"),
        ('{"jsonrpc":"1.0","id":5,"result":1}', "unsupported_version"),
        ('{"jsonrpc":2.0,"id":5,"result":1}', "unsupported_version"),
        ('{"jsonrpc":"2.0","id":5}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":null}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"result":1,"error":{"code":1,"message":""}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"result":null,"error":{"code":1,"message":""}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":"no"}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":[1]}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":{"message":"no code"}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":{"code":"x","message":""}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":{"code":1.5,"message":""}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","id":5,"error":{"code":true,"message":""}}', "invalid_envelope"),
        ('{"jsonrpc":"2.0","method":"eth_subscription","params":{}}', "unexpected_notification"),
        ('{"jsonrpc":"2.0","id":6,"result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":"5","result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":5.0,"result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":55,"result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":null,"result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","result":1}', "id_mismatch"),
        ('{"jsonrpc":"2.0","id":6,"error":{"code":1,"message":""}}', "id_mismatch"),
    ],
)  # fmt: skip
def test_a_broken_reply_is_told_by_its_reason(text: str, why: str) -> None:
    assert reason(text) == why


@pytest.mark.parametrize("name", ["jsonrpc", "id", "result", "error", "method", "extra"])
@pytest.mark.parametrize(("first", "last"), [("5", "5"), ("51", "5"), ("5", "51"), ('"a"', "5"), ('"2.0"', '"2.0"')])
def test_a_member_that_stands_twice_is_broken_whatever_it_says(name: str, first: str, last: str) -> None:
    members = {"jsonrpc": '"2.0"', "id": "5", "result": "1"}
    members.pop(name, None)
    rest = "".join(f',"{key}":{value}' for key, value in members.items())
    assert reason(f'{{"{name}":{first}{rest},"{name}":{last}}}') == "invalid_envelope"
    assert reason(f'{{"{name}":{first},"\\u{ord(name[0]):04x}{name[1:]}":{last}{rest}}}') == "invalid_envelope"


@pytest.mark.parametrize(
    "result",
    ['"\xff"', '"\xed\xa0\x80"', '"\\ud800"', '"\n"', '"\\q"', "01", "NaN", "[1,]", "tru", "1.", "+1", '"\\u12"'],
)
def test_results_that_are_not_json_in_utf_8_are_broken(result: str) -> None:
    assert reason(b'{"jsonrpc":"2.0","id":5,"result":%b}' % result.encode("latin-1")) == "invalid_json"


def test_nesting_without_end_is_broken_and_no_crash() -> None:
    for deep in ("[" * 300_000, "[" * 300_000 + "]" * 300_000):
        assert reason('{"jsonrpc":"2.0","id":5,"result":' + deep + "}") == "invalid_json"
        assert reason('{"jsonrpc":"2.0","id":5,"result":1,"x":' + deep + "}") == "invalid_json"


def test_a_lone_surrogate_in_a_members_name_is_broken_and_no_crash() -> None:
    assert reason('{"\\ud800":1,"jsonrpc":"2.0","id":5,"result":1}') == "invalid_json"


@given(replies(), st.data())
def test_no_reply_survives_the_loss_of_its_end(reply: tuple[bytes, bytes, bool], data: st.DataObject) -> None:
    body = reply[0].rstrip()
    with pytest.raises(BrokenReply):
        check(body[: data.draw(st.integers(0, len(body) - 1))], 5)


@given(st.binary() | replies().map(lambda reply: reply[0]), st.integers(), st.binary(max_size=3))
def test_any_bytes_are_a_reply_to_this_request_or_broken(body: bytes, at: int, dirt: bytes) -> None:
    at = at % (len(body) + 1)
    body = body[:at] + dirt + body[at:]
    try:
        reply = check(body, 5)
    except BrokenReply:
        return
    answer = json.loads(reply.splice(b'"mine"'))
    assert answer["id"] == "mine"
    assert answer["jsonrpc"] == "2.0"
    assert json.loads(body).get("id") == 5 or reply.error is not None


# What is sent


def test_a_request_has_our_id_and_the_clients_own_bytes() -> None:
    sent = encode_request(7, b'"eth_\\u0063all"', b'[{"a":1e3}]')
    assert sent == b'{"jsonrpc":"2.0","id":7,"method":"eth_\\u0063all","params":[{"a":1e3}]}'

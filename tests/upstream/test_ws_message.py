"""What a message from a provider's WebSocket is taken for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.upstream.ws_message import Answer, Complaint, News, Noise, read, sent_id


@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","id":7,"result":"0x1"}',
        b'{"jsonrpc":"2.0","result":{"id":9},"id":7}',
        b' {"id":7,"error":{"code":-32000,"message":"no"},"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","id":7,"result":not JSON at all',
    ],
)
def test_what_has_an_id_of_ours_is_an_answer_good_or_bad(text: bytes) -> None:
    assert read(text) == Answer(7)


@pytest.mark.parametrize(
    "params",
    [b'{"subscription":"0x1","result":{"number":"0x2"}}', b'{"result":{"number":"0x2"},"subscription":"0x1"}'],
)
def test_news_are_told_with_their_subscription_and_their_own_bytes(params: bytes) -> None:
    text = b'{"jsonrpc":"2.0","method":"eth_subscription","params":%b}' % params
    assert read(text) == News(b'"0x1"', b'{"number":"0x2"}')


@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"parse error"},"id":null}',
        b'{"jsonrpc":"2.0","error":{"code":-32700,"message":"parse error"}}',
    ],
)
def test_an_error_without_an_id_is_a_complaint(text: bytes) -> None:
    assert read(text) == Complaint()


@pytest.mark.parametrize(
    "text",
    [
        b"this is not JSON",
        b"",
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"result":1}]',
        b'"0x1"',
        b'{"jsonrpc":"2.0","id":"7","result":1}',
        b'{"jsonrpc":"2.0","id":-7,"result":1}',
        b'{"jsonrpc":"2.0","result":1}',
        b'{"jsonrpc":"2.0","result":1,"error":null}',
        b'{"jsonrpc":"2.0","method":"eth_subscription"}',
        b'{"jsonrpc":"2.0","method":"eth_subscription","params":["0x1"]}',
        b'{"jsonrpc":"2.0","method":"ping","params":[]}',
        b'{"method":' + b"[" * 10_000,
        b"\xff\xfe{}",
        b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":"\xff"}}',
    ],
)
def test_everything_else_is_noise(text: bytes) -> None:
    assert read(text) == Noise()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_that_is_read_raises(text: bytes) -> None:
    read(text)


@given(
    st.dictionaries(
        st.sampled_from(["id", "method", "params", "error", "result"]),
        st.none() | st.integers() | st.text(max_size=5) | st.dictionaries(st.just("subscription"), st.text(max_size=3)),
    )
)
def test_no_object_raises_either(members: dict[str, object]) -> None:
    read(json.dumps(members).encode())


def test_the_id_of_a_request_is_read_from_its_beginning() -> None:
    assert sent_id(b'{"jsonrpc":"2.0","id":12,"method":"eth_chainId","params":[]}') == 12
    with pytest.raises(ValueError, match="ours"):
        sent_id(b'{"id":12,"method":"eth_chainId"}')

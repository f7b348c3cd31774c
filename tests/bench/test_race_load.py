"""An error for the call that was asked is counted; anything else that is no answer is not taken for one."""

from __future__ import annotations

from race_load import is_error

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 82\r\n\r\n"
ERROR = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32007,"message":"Request timeout"}}'


def test_an_error_with_the_calls_id_is_an_error() -> None:
    assert is_error(HEAD + ERROR, 7)


def test_another_calls_error_a_result_and_another_status_are_not() -> None:
    assert not is_error(HEAD + ERROR, 8)
    assert not is_error(HEAD + b'{"jsonrpc":"2.0","id":7,"result":"0x1"}', 7)
    assert not is_error(HEAD.replace(b"200 OK", b"502 Bad Gateway") + ERROR, 7)

from __future__ import annotations

import json

import pytest

from lasso_trio.probe.answer import Told, read, read_batch

WALL = 1_700_000_000.0


def error(code: int, message: str, data: object = None) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message, "data": data}}).encode()


def test_a_result_is_one_even_when_it_is_null() -> None:
    answer = read(200, b'{"jsonrpc":"2.0","id":1,"result":null}', {}, WALL)
    assert answer.good
    assert answer.result is None


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, error(-32601, "the method x does not exist/is not available"), Told.ERROR),
        (200, error(-32602, "query exceeds max block range 1000"), Told.ERROR),
        (400, error(-32602, "invalid argument 0"), Told.ERROR),
        (200, error(-32005, "rate limit exceeded"), Told.THROTTLED),
        (429, b"Too Many Requests", Told.THROTTLED),
        (429, error(-32005, "slow down"), Told.THROTTLED),
        (502, b"<html>502 Bad Gateway</html>", Told.FAILED),
        (503, error(-32000, "no backend"), Told.FAILED),
        (401, b"{}", Told.FAILED),
        (200, error(-32000, "invalid api key"), Told.FAILED),
        (200, b"this is not JSON", Told.FAILED),
        (200, b"", Told.FAILED),
        (200, b"{}", Told.FAILED),
        (500, b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', Told.FAILED),
        (200, b"[" * 5000, Told.FAILED),
    ],
)
def test_what_an_answer_tells(status: int, body: bytes, told: Told) -> None:
    assert read(status, body, {}, WALL).told is told


def test_the_words_are_the_endpoints_with_its_code_or_ours() -> None:
    assert read(200, error(-32602, "no"), {}, WALL).words == "-32602 no"
    assert read(502, b"x", {}, WALL).words == "HTTP 502"
    assert read(200, b"", {}, WALL).words == "an empty answer"
    assert "not JSON" in read(200, b"not JSON", {}, WALL).words


def test_how_long_to_wait_is_read_from_header_data_or_text() -> None:
    assert read(429, b"", {"retry-after": "3"}, WALL).wait_s == 3
    assert read(200, error(-32005, "rate limit", {"backoff_seconds": 4}), {}, WALL).wait_s == 4
    assert read(200, error(-32005, "rate limit, try again in 2s"), {}, WALL).wait_s == 2
    assert read(429, b"", {}, WALL).wait_s is None


def test_a_batch_is_good_when_every_call_has_a_result() -> None:
    one = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'
    assert read_batch(200, b"[" + one + b"," + one + b"]", {}, WALL, 2).good
    assert read_batch(200, b"[" + one + b"]", {}, WALL, 2).words == "1 answers to 2 calls"
    assert read_batch(200, one, {}, WALL, 2).told is Told.ERROR
    assert read_batch(200, error(-32600, "batch too large"), {}, WALL, 2).told is Told.ERROR
    mixed = read_batch(200, b"[" + one + b"," + error(-32600, "batch too large") + b"]", {}, WALL, 2)
    assert (mixed.told, mixed.words) == (Told.ERROR, "-32600 batch too large")
    assert read_batch(413, b"too large", {}, WALL, 2).told is Told.FAILED

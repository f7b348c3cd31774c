from __future__ import annotations

import json
from typing import Any

import pytest

from lasso_trio.providers.classify import Category
from lasso_trio.providers.hint import Hint
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer, failure, faulted, read
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.upstream.faults import ConnectFault, Disconnected, Malformed, ResolveFault, UpstreamFault


def answered(question: Question, result: Any, status: int = 200) -> ProbeAnswer:
    return read(question, status, json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode(), 1, 0.0)


def refused(status: int, code: int, message: str) -> ProbeAnswer:
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}
    return read(Question.CHAIN_ID, status, json.dumps(body).encode(), 1, 0.0)


@pytest.mark.parametrize("question", [Question.CHAIN_ID, Question.HEIGHT])
def test_numbers_are_read(question: Question) -> None:
    assert answered(question, "0x2a") == ProbeAnswer(Kind.GOOD, number=42)


def test_a_block_has_a_number_and_a_time() -> None:
    block = {"number": "0x10", "timestamp": "0x20", "hash": "0x", "transactions": []}
    assert answered(Question.LATEST, block) == ProbeAnswer(Kind.GOOD, number=16, timestamp=32)


def test_a_block_that_is_not_there_is_no_failure() -> None:
    assert answered(Question.FINALIZED, None).kind is Kind.UNANSWERED


@pytest.mark.parametrize(("result", "syncing"), [(False, False), ({"currentBlock": "0x1"}, True)])
def test_syncing_is_false_or_tells_how_far(result: Any, syncing: bool) -> None:
    assert answered(Question.SYNCING, result) == ProbeAnswer(Kind.GOOD, syncing=syncing)


@pytest.mark.parametrize("result", [None, 17, "17", "0xzz", "0x-1", "-0x1", "0x" + "f" * 40, {}, []])
def test_anything_else_is_the_providers_fault(result: Any) -> None:
    answer = answered(Question.HEIGHT, result)
    assert answer.kind is Kind.FAILED
    assert answer.verdict is not None
    assert answer.verdict.category is Category.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (200, -32005, "limit exceeded", Kind.THROTTLED),
        (429, -32005, "too many requests", Kind.THROTTLED),
        (200, -32601, "the method eth_chainId does not exist", Kind.UNANSWERED),
        (200, -32602, "invalid params", Kind.UNANSWERED),
        (200, -32603, "internal error", Kind.FAILED),
        (401, -32000, "no key", Kind.REFUSED),
        (402, -32000, "pay", Kind.REFUSED),
        (500, -32601, "method not found", Kind.FAILED),
    ],
)
def test_errors_are_told_apart(status: int, code: int, message: str, kind: Kind) -> None:
    answer = refused(status, code, message)
    assert answer.kind is kind
    assert message in answer.words


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", Kind.REFUSED),
        (402, b"", Kind.REFUSED),
        (403, b"forbidden", Kind.THROTTLED),
        (429, b"slow down", Kind.THROTTLED),
        (503, b"too many requests", Kind.THROTTLED),
        (502, b"<html>", Kind.FAILED),
        (404, b"", Kind.FAILED),
        (200, b"<html>", Kind.FAILED),
        (200, b"", Kind.FAILED),
    ],
)
def test_bare_http_answers_are_told_apart(status: int, body: bytes, kind: Kind) -> None:
    assert read(Question.HEIGHT, status, body, 1, 0.0).kind is kind


def test_a_good_result_in_a_bad_status_is_no_success() -> None:
    assert answered(Question.HEIGHT, "0x1", status=500).kind is Kind.FAILED


def test_another_request_s_answer_is_none() -> None:
    assert read(Question.HEIGHT, 200, b'{"jsonrpc":"2.0","id":2,"result":"0x1"}', 1, 0.0).kind is Kind.FAILED


@pytest.mark.parametrize(
    ("headers", "body", "hint"),
    [
        ({b"retry-after": b"77"}, b"", Hint(77.0)),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"40"}, b"", Hint(40.0)),
        ({}, b"50/second request limit reached", Hint(None, 50.0)),
        ({b"retry-after": b"3"}, b"too many: 300 calls/min", Hint(3.0, 5.0)),
        ({}, b"slow down", Hint()),
    ],
)
def test_what_a_refusal_says_of_its_limit_is_read_as_for_calls(
    headers: dict[bytes, bytes], body: bytes, hint: Hint
) -> None:
    answer = read(Question.HEIGHT, 429, body, 1, 0.0, headers.get)
    assert (answer.hint, answer.hint_s) == (hint, hint.seconds)


@pytest.mark.parametrize(
    ("fault", "at_once"),
    [
        (ConnectFault("refused"), True),
        (Disconnected("reset"), True),
        (ConnectFault("timed_out"), False),
        (ConnectFault("no_descriptors", local=True), False),
        (ResolveFault("resolver"), False),
        (Malformed("not_http"), False),
    ],
)
def test_a_connection_that_is_refused_or_breaks_is_known_at_once(fault: UpstreamFault, at_once: bool) -> None:
    answer = faulted(fault)
    assert (answer.kind, answer.at_once) == (Kind.FAILED, at_once)


@pytest.mark.parametrize(
    ("answer", "silent"),
    [
        (failure(Category.TIMEOUT, ""), True),
        (failure(Category.LOCAL_CAPACITY, ""), True),
        (faulted(Disconnected("reset")), True),
        (failure(Category.PROVIDER_ERROR, ""), False),
        (ProbeAnswer(Kind.GOOD), False),
    ],
)
def test_who_said_nothing_said_nothing_of_the_question(answer: ProbeAnswer, silent: bool) -> None:
    assert answer.silent is silent


def test_silence_is_a_failure_of_its_category() -> None:
    assert failure(Category.TIMEOUT, "no answer").verdict.category is Category.TIMEOUT  # type: ignore[union-attr]

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from lasso_trio.jsonrpc.reply import check
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.classify import classify
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.write_verdict import SETTLED, SUCCESS, Said, most_telling, said_by

HASH = "0x" + "ab" * 32


def answered(**members: Any) -> Attempt:
    """An attempt whose provider answered `result=…` or `error=…`, as `attempt` leaves it."""
    reply = check(json.dumps({"id": 1, "jsonrpc": "2.0", **members}).encode(), 1)
    done = Attempt(None, reply)  # type: ignore[arg-type]
    if reply.error is None:
        done.final = True
    else:
        done.verdict = classify(200, reply.error.code, reply.error.text, None, (), "eth_sendRawTransaction")
        done.final = not done.verdict.retriable
    return done


def refused(message: str, code: int = -32000) -> Attempt:
    return answered(error={"code": code, "message": message})


def unanswered(category: Category, *, dispatched: bool = True) -> Attempt:
    return Attempt(None, verdict=VERDICTS[category], dispatched=dispatched)  # type: ignore[arg-type]


@pytest.mark.parametrize("hash_", [HASH, "0x" + "AB" * 32])
def test_its_hash_is_acceptance(hash_: str) -> None:
    assert said_by(answered(result=hash_), HASH) is Said.ACCEPTED


@pytest.mark.parametrize("result", ["0x" + "cd" * 32, "", None, 1, {"hash": HASH}, [HASH]])
def test_any_other_result_is_wrong(result: object) -> None:
    assert said_by(answered(result=result), HASH) is Said.WRONG


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("already known", Said.KNOWN),
        ("AlreadyKnown", Said.KNOWN),
        ("Known transaction", Said.KNOWN),
        ("transaction already imported", Said.KNOWN),
        ("nonce too low: next nonce 6, tx nonce 5", Said.NONCE_USED),
        ("OldNonce, Current nonce: 6, nonce of rejected tx: 5.", Said.NONCE_USED),
        ("Transaction nonce is too low. Try incrementing the nonce.", Said.NONCE_USED),
        ("insufficient funds for gas * price + value", Said.REFUSED),
        ("intrinsic gas too low: gas 0, minimum needed 21000", Said.REFUSED),
        ("replacement transaction underpriced", Said.REFUSED),
        ("nonce too high", Said.REFUSED),
        ("something that nobody has reported", Said.FAILED),
        ("rate limit exceeded", Said.DECLINED),
    ],
)
def test_what_a_node_says(message: str, said: Said) -> None:
    assert said_by(refused(message), HASH) is said


def test_an_error_of_its_own_says_little() -> None:
    assert said_by(refused("internal error", -32603), HASH) is Said.FAILED


def test_arguments_that_are_wrong_are_wrong_for_anybody() -> None:
    assert said_by(refused("invalid argument 0: hex string of odd length", -32602), HASH) is Said.REFUSED


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (unanswered(Category.TIMEOUT), Said.SILENT),
        (unanswered(Category.NETWORK_ERROR), Said.SILENT),
        (unanswered(Category.SERVER_ERROR), Said.SILENT),
        (unanswered(Category.NETWORK_ERROR, dispatched=False), Said.DECLINED),
        (unanswered(Category.RATE_LIMIT), Said.DECLINED),
        (unanswered(Category.AUTH_ERROR), Said.DECLINED),
        (Attempt(None), Said.SILENT),  # type: ignore[arg-type]
    ],
)
def test_without_an_answer_it_is_a_matter_of_whether_it_may_have_arrived(done: Attempt, said: Said) -> None:
    assert said_by(done, HASH) is said


def test_a_verdict_on_the_transaction_is_told_before_anything_else() -> None:
    funds, arguments = refused("insufficient funds"), refused("invalid params", -32602)
    trouble, silence = refused("internal error", -32603), unanswered(Category.TIMEOUT)
    ranked = [refused("nonce too low"), funds, arguments, trouble, refused("rate limit exceeded"), silence]
    answers = [(said_by(done, HASH), done) for done in ranked]
    for better, worse in pairwise(answers):
        assert most_telling([worse, better]) == better == most_telling([better, worse])


def test_of_equals_the_first_is_told() -> None:
    first, second = refused("insufficient funds"), refused("intrinsic gas too low")
    assert most_telling([(Said.REFUSED, first), (Said.REFUSED, second)])[1] is first


def test_an_error_without_verdict_is_told_last_among_its_kind() -> None:
    known, bare = refused("insufficient funds"), Attempt(None)  # type: ignore[arg-type]
    assert most_telling([(Said.REFUSED, bare), (Said.REFUSED, known)])[1] is known


def test_success_settles_it() -> None:
    assert SUCCESS < SETTLED

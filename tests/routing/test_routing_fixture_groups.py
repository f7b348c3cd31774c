"""Fifteen groups of answers that fooled other proxies, each with what becomes of the call and of its provider.

The rows of `ANSWERS` are carried out: provider `a` answers so, `b` is well. The other tables hold answers that are
judged before or after that. A batch of a client's is carried out call by call, in `tests/server/test_batch`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.jsonrpc.methods import known
from lasso_trio.jsonrpc.reply import BrokenReply, check
from lasso_trio.providers.classify import classify
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.providers.probe_answer import Kind as Probed
from lasso_trio.providers.probe_answer import read
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.routing.winning import is_weak
from lasso_trio.upstream.ws_message import Complaint
from lasso_trio.upstream.ws_message import read as read_message

Build = Callable[..., Any]
Clock = trio.testing.MockClock
ID: Final = 7
LOGS: Final = ("eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x20"}]')
CALL: Final = ("eth_call", '[{"to":"0x0000000000000000000000000000000000000001"},"latest"]')
PRICE: Final = ("eth_gasPrice", "[]")
REVERTED: Final = "0x08c379a0" + "00" * 32
HTML: Final = "<!DOCTYPE html><html><title>Just a moment…</title></html>"
RANGE_ADVICE: Final = (
    "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should "
    "work: [0x10, 0x15]"
)


@attrs.frozen
class Answer:
    """`a` says `failure` to the call `asked`. `kept`: its word is the client's answer, else `b` is asked. `counts`: as
    a failure for its breaker. `cools`: in seconds, at least; None: it is not left alone.
    """

    group: int
    name: str
    failure: Failure
    asked: tuple[str, str] = CALL
    kept: bool = False
    counts: bool = False
    cools: float | None = None


def rpc(code: int, message: str, data: Any = None) -> Failure:
    return Failure(Kind.RPC, code=code, message=message, data=data)


def http(status: int, code: int | None = None, text: str = "") -> Failure:
    """A body of its own, or an error object under an HTTP status."""
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": text}}
    return Failure(Kind.HTTP, status=status, body=text if code is None else json.dumps(error))


MONTHLY: Final = "Monthly capacity limit exceeded. Visit https://dashboard.alchemy.com/settings/billing"
THROUGHPUT: Final = "Your app has exceeded its compute units per second capacity."
INFURA: Final = {"rate": {"allowed_rps": 1, "backoff_seconds": 30, "current_rps": 1.4}}
ANSWERS: Final = (
    Answer(1, "Alchemy: key", rpc(-32600, "Must be authenticated!"), counts=True),
    Answer(1, "Alchemy: range", rpc(-32600, RANGE_ADVICE), LOGS),
    Answer(1, "Alchemy: revert", rpc(3, "execution reverted", REVERTED), kept=True),
    Answer(1, "Alchemy: unknown block", rpc(3, "Unknown block")),
    Answer(1, "Alchemy: throughput", http(429, 429, THROUGHPUT), cools=0.5),
    Answer(1, "Alchemy: month", http(429, 429, MONTHLY), cools=200.0),
    Answer(1, "Alchemy: month over a WebSocket", rpc(-32600, MONTHLY), cools=200.0),
    Answer(2, "Infura: rate", rpc(-32005, "project ID request rate exceeded", INFURA), cools=29.0),
    Answer(2, "Infura: range", rpc(-32602, "range 20000 exceeds limit of 10000"), LOGS),
    Answer(2, "Infura: closing", rpc(-33300, "429 Too Many Requests"), cools=0.5),
    Answer(3, "QuickNode: rate", rpc(-32007, "50/second request limit reached"), cools=0.5),
    Answer(3, "QuickNode: credits", rpc(-32012, "credits limited to 500/sec"), cools=0.5),
    Answer(3, "QuickNode: method", rpc(-32612, "custom trace")),
    Answer(3, "QuickNode: plan", rpc(-32613, "not on this plan")),
    Answer(3, "QuickNode: range", rpc(-32614, "eth_getLogs is limited to a 5 range"), LOGS),
    Answer(4, "gas is no rate", rpc(-32010, "gas limit exceeded"), kept=True),
    Answer(4, "gas is no rate under a rate's code", rpc(-32005, "gas limit exceeded"), kept=True),
    Answer(5, "revert without its code", rpc(-32000, "too many requests", REVERTED), kept=True),
    Answer(5, "revert in a gateway's status", http(500, 3, "execution reverted"), kept=True),
    Answer(7, "page with 200", http(200, text=HTML), counts=True),
    Answer(7, "page with 403", http(403, text=HTML), counts=True),
    Answer(7, "page with 502", http(502, text=HTML), counts=True),
    Answer(9, "one error for all", http(200, -32600, "batch too large"), kept=True),
    Answer(9, "a batch for one", http(200, text='[{"jsonrpc":"2.0","id":1,"result":"0x1"}]'), PRICE, counts=True),
    Answer(15, "cut by its length", Failure(Kind.TRUNCATED), PRICE, counts=True),
    Answer(15, "cut as text", http(200, text='{"jsonrpc":"2.0","id":1,"resu'), PRICE, counts=True),
)


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.group} {row.name}")
async def test_what_becomes_of_an_answer_and_of_who_gave_it(autojump_clock: Clock, world: Build, row: Answer) -> None:
    it = world({"a": Faults(failures=[row.failure]), "b": Faults()})
    told = await it.ask(*row.asked)
    assert ("error" in told) == row.kept
    assert ("b" in it.asked) != row.kept
    channel, now = it.channel("a"), trio.current_time()
    assert (channel.breaker.failures > 0) == row.counts
    assert channel.cooldown.remaining(now) >= (row.cools or 0.0)
    assert channel.cooldown.active(now) == (row.cools is not None)


@pytest.mark.parametrize(
    "message",
    ["already known", "AlreadyKnown", "ALREADY_KNOWN", "Known transaction", "Transaction already known",
     "transaction already imported", "Transaction with the same hash was already imported.", "already in mempool"],
)  # fmt: skip
def test_6_a_transaction_that_is_in_already_is_known_in_every_spelling(message: str) -> None:
    verdict = classify(200, -32000, message, None, (), "eth_sendRawTransaction")
    assert (verdict.error_class, verdict.breaker) == ("transaction_known", "success")


@pytest.mark.parametrize("id_", ['"id":null,', ""])
def test_8_an_error_without_an_id_is_a_complaint_and_no_reason_to_hang_up(id_: str) -> None:
    message = f'{{"jsonrpc":"2.0",{id_}"error":{{"code":-32000,"message":"idle"}}}}'
    assert isinstance(read_message(message.encode()), Complaint)


@pytest.mark.parametrize(
    ("method", "result", "behind", "weak"),
    [
        ("eth_getTransactionReceipt", "null", False, True),
        ("eth_getTransactionReceipt", '{"status":"0x1"}', True, False),
        ("eth_getLogs", "[]", True, True),
        ("eth_getLogs", "[]", False, False),
        ("eth_getLogs", "[{}]", True, False),
    ],
)
def test_10_and_11_what_says_nothing_does_not_win_over_who_may_know_more(
    method: str, result: str, behind: bool, weak: bool
) -> None:
    its = known(method)
    assert its is not None
    assert is_weak(its, check(b'{"jsonrpc":"2.0","id":7,"result":%b}' % result.encode(), ID), behind) == weak


async def test_11_logs_beyond_a_providers_head_are_asked_of_who_has_the_block(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(lag=50), "b": Faults()})
    for name, height in (("a", 950), ("b", 1000)):
        it[name].head.tell(height, trio.current_time(), 12.0)
    assert "result" in await it.ask("eth_getLogs", '[{"fromBlock":"0x3e0","toBlock":"0x3e8"}]')
    assert it.asked == {"b": 1}


@pytest.mark.parametrize("result", ['"latest"', '""', '"12"', "12", "null", '"0x"', '"-0x1"', '"0x8000000000000000"'])
def test_12_a_height_that_is_no_number_is_a_failure(result: str) -> None:
    body = b'{"jsonrpc":"2.0","id":7,"result":%b}' % result.encode()
    assert read(Question.HEIGHT, 200, body, ID, 0.0).kind is Probed.FAILED


def test_12_a_height_of_zero_has_no_vote() -> None:
    heads = ChainHeads({name: Head() for name in "abc"}, tolerance=3)
    for name, height in (("a", 0), ("b", 0), ("c", 1000)):
        heads.heads[name].tell(height, 5.0, 12.0)
    assert heads.view(5.0).consensus == 1000


@pytest.mark.parametrize("id_", ['"7"', "7.0", "7e0", "9223372036854775808", "8", "true", "[7]"])
@pytest.mark.parametrize("member", ['"result":"0x1"', '"error":{"code":3,"message":"execution reverted"}'])
def test_13_an_answer_with_an_id_that_was_not_sent_is_another_requests(id_: str, member: str) -> None:
    with pytest.raises(BrokenReply) as broken:
        check(f'{{"jsonrpc":"2.0","id":{id_},{member}}}'.encode(), ID)
    assert broken.value.reason == "id_mismatch"


def test_13_without_an_id_an_error_may_be_meant_and_a_result_is_not() -> None:
    error = check(b'{"jsonrpc":"2.0","id":null,"error":{"code":3,"message":"execution reverted"}}', ID).error
    assert error is not None
    with pytest.raises(BrokenReply):
        check(b'{"jsonrpc":"2.0","id":null,"result":"0x1"}', ID)


async def test_14_who_serves_another_chain_is_not_asked(autojump_clock: Clock, world: Build) -> None:
    assert read(Question.CHAIN_ID, 200, b'{"jsonrpc":"2.0","id":7,"result":"0x5"}', ID, 0.0).number == 5
    it = world(dict.fromkeys("ab", Faults()))
    it["a"].head.check = ChainCheck.WRONG
    assert "result" in await it.ask()
    assert it.asked == {"b": 1}


def test_none_of_the_fifteen_is_left_out() -> None:
    named = {int(number) for name in globals() for number in re.findall(r"_(\d+)(?=_)", name)}
    assert named | {row.group for row in ANSWERS} == set(range(1, 16))

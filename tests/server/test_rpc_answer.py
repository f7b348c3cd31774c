"""Outcomes as answers: status, header lines, body."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import attrs
import pytest

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.large_reply import recognise
from lasso_trio.jsonrpc.reply import check
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Large, Outcome
from lasso_trio.routing.service import Served, Wish
from lasso_trio.server import rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.batch import BatchResult
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.large_body import LargeBody
from lasso_trio.server.refusal import Kind
from lasso_trio.server.routes import resolve
from lasso_trio.upstream.reply import Reply as HttpReply
from lasso_trio.upstream.reply import Timings
from lasso_trio.upstream.response_head import parse_head


def no_pool(_: object) -> Any:
    return object()


PROVIDER = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
DIRECTORY = Directory.of(
    ProfileSet.of([Profile("public", "Public", (Chain("eth", 1, "Ethereum", (PROVIDER,)),))]), Registry(no_pool)
)
ALPHA = DIRECTORY.default.chains[0].candidates[0]


def exchange(query: str = "") -> Exchange:
    return Exchange(resolve(f"/rpc/eth{query}", {}, DIRECTORY), "req-1", 10.0)


def request(id_: str = '"x"') -> Request:
    found = decode(b'{"method":"eth_call","id":%b}' % id_.encode() if id_ else b'{"method":"eth_call"}')
    assert isinstance(found, Request)
    return found


def reply(text: bytes = b'{"jsonrpc":"2.0","id":7,"result":{"a": 1}}') -> Served:
    return Served(Outcome(check(text, 7), candidate=ALPHA, reason="why", upstream_s=0.25), Strategy.FASTEST)


def fields(answer: Answer) -> dict[str, str]:
    lines = answer.headers.decode().split("\r\n")
    assert lines.pop() == ""
    return dict(line.split(": ", 1) for line in lines)


def test_a_result_is_the_reply_with_the_clients_id() -> None:
    answer = rpc_answer.of_call(exchange(), request(), reply(), 10.5)
    assert (answer.status, answer.body) == (200, b'{"jsonrpc":"2.0","id":"x","result":{"a": 1}}')
    assert fields(answer) == {
        "content-type": "application/json; charset=utf-8",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": (
            "x-request-id, x-lasso-request-id, x-lasso-meta, x-lasso-cache, server-timing, retry-after"
        ),
        "x-request-id": "req-1",
        "server-timing": "upstream;dur=250.000, total;dur=500.000",
    }


@pytest.mark.parametrize(("asked_s", "told_ms"), [(0.5, "500.000"), (60.0, "5000.000")])
def test_the_time_that_a_client_gave_is_told_but_never_more_than_the_method_has(asked_s: float, told_ms: str) -> None:
    plain = exchange()
    hasty = attrs.evolve(plain, route=attrs.evolve(plain.route, wish=Wish(deadline_s=asked_s)))
    answer = rpc_answer.of_call(hasty, request(), reply(), 1.0)
    assert b"server-timing: timeout;dur=" + told_ms.encode() in answer.headers


@pytest.mark.parametrize(("asked_s", "until"), [(None, inf), (0.5, 10.5), (60.0, 70.0)])
def test_a_large_result_has_the_time_that_its_client_gave_and_not_its_methods(
    asked_s: float | None, until: float
) -> None:
    passing = recognise(b'{"jsonrpc":"2.0","id":5,"result":"' + b"x" * 200, 5, b"7")
    parsed = parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n")
    assert passing is not None
    assert parsed is not None
    call = request()
    large = Large(passing, HttpReply(parsed[0], b"", None, Timings()), ALPHA, call.method)
    plain = exchange()
    given = attrs.evolve(plain, route=attrs.evolve(plain.route, wish=Wish(deadline_s=asked_s)))
    answer = rpc_answer.of_call(given, call, Served(Outcome(large=large), Strategy.FASTEST), 10.1)
    assert isinstance(answer.stream, LargeBody)
    assert answer.stream.until == until


def test_a_notification_has_no_answer() -> None:
    answer = rpc_answer.of_call(exchange(), request(""), reply(), 10.5)
    assert (answer.status, answer.body) == (204, b"")
    error = RpcError(-32601, "no")
    assert rpc_answer.of_local_error(exchange(), request(""), error).status == 204
    assert json.loads(rpc_answer.of_local_error(exchange(), request(), error).body)["id"] == "x"  # type: ignore[arg-type]


def test_metadata_stands_before_the_last_brace_whatever_the_layout() -> None:
    text = b' {"error":null, "result" : {"a":{}} , "id":7,"jsonrpc":"2.0" } \n'
    answer = rpc_answer.of_call(exchange("?include_meta=body"), request(), reply(text), 10.5)
    assert isinstance(answer.body, bytes)
    whole = json.loads(answer.body)
    assert list(whole) == ["error", "result", "id", "jsonrpc", "lasso_meta"]
    meta = whole["lasso_meta"]
    assert (meta["selected_provider"], meta["selection_reason"]) == ({"id": "alpha", "protocol": "http"}, "why")
    assert (meta["upstream_latency_ms"], meta["end_to_end_latency_ms"], meta["lasso_overhead_ms"]) == (250, 500, 250)


@pytest.mark.parametrize(("status", "id_"), [(200, '"x"'), (503, "1e3")])
def test_our_own_error_has_its_status_and_the_clients_id(status: int, id_: str) -> None:
    served = Served(Outcome(error=RpcError(-32000, "no", {"a": 1}, status=status)), Strategy.PRIORITY)
    answer = rpc_answer.of_call(exchange(), request(id_), served, 10.5)
    expected = f'{{"jsonrpc":"2.0","id":{id_},"error":{{"code":-32000,"message":"no","data":{{"a":1}}}}}}'
    assert (answer.status, answer.body) == (status, expected.encode())


@pytest.mark.parametrize(
    ("kind", "status", "code", "message"),
    [
        (Kind.BODY_TOO_LARGE, 413, -32600, "Invalid Request: request body too large"),
        (Kind.NO_CAPACITY, 503, -32008, "Local request byte capacity unavailable"),
        (Kind.RESTARTING, 503, -32008, "The node is restarting"),
        (Kind.CRASHED, 500, -32603, "Internal error"),
        (Kind.BAD_REQUEST, 400, -32700, "Parse error: Invalid JSON"),
        (Kind.BAD_ENCODING, 415, -32700, "Parse error: Invalid JSON"),
        (Kind.TIMEOUT, 408, -32600, "Invalid Request: timeout"),
        (Kind.HEAD_TOO_LARGE, 431, -32600, "Invalid Request: head too large"),
        (Kind.EXPECTATION, 417, -32600, "Invalid Request: expectation"),
        (Kind.NOT_IMPLEMENTED, 501, -32600, "Invalid Request: not implemented"),
    ],
)
def test_every_refusal_of_the_door_is_json_rpc(kind: Kind, status: int, code: int, message: str) -> None:
    answer = rpc_answer.of_refusal(status, kind)
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    assert answer.status == status
    assert {"x-request-id", "server-timing", "access-control-allow-origin"} <= set(fields(answer))


def test_every_kind_of_refusal_is_tested() -> None:
    assert len(Kind) == 10


@pytest.mark.parametrize(
    ("wait_s", "seconds", "ms"), [(0.0001, 1, 1), (0.15, 1, 151), (0.9995, 1, 1000), (1.0, 2, 1001), (12.34, 13, 12341)]
)
def test_nobody_is_told_to_come_back_too_early(wait_s: float, seconds: int, ms: int) -> None:
    answer = rpc_answer.limited(100, wait_s, "req-1", b"5")
    assert answer.status == 429
    assert isinstance(answer.body, bytes)
    whole = json.loads(answer.body)
    assert whole["id"] == 5
    assert whole["error"]["data"] == {"retry_after_ms": ms, "rate_limit": 100}
    assert fields(answer)["retry-after"] == str(seconds)
    assert seconds > wait_s - 1e-9
    assert ms > wait_s * 1000 - 1e-6


def test_a_batch_is_an_array_without_the_notifications() -> None:
    first = (request(), reply())
    batch = BatchResult([b"1", None, b"3"], [None, first, None])
    answer = rpc_answer.of_batch(exchange("?include_meta=headers"), batch, 10.5)
    assert (answer.status, answer.body) == (200, b"[1,3]")
    assert "x-lasso-meta" in fields(answer)
    assert fields(answer)["server-timing"] == "upstream;dur=250.000, total;dur=500.000"


def test_a_batch_of_notifications_has_no_answer() -> None:
    answer = rpc_answer.of_batch(exchange("?include_meta=body"), BatchResult([None], [None]), 10.5)
    assert (answer.status, answer.body) == (204, b"")


def test_an_unknown_path_and_a_preflight() -> None:
    assert json.loads(rpc_answer.not_found("r").body) == {"errors": {"detail": "Not Found"}}  # type: ignore[arg-type]
    preflight = fields(rpc_answer.preflight("r"))
    assert (preflight["x-request-id"], preflight["access-control-max-age"]) == ("r", "86400")


def test_metadata_tells_who_won_a_race() -> None:
    raced = reply()
    raced.outcome.hedges, raced.outcome.won_by = 1, "failover"
    answer = rpc_answer.of_call(exchange("?include_meta=body"), request(), raced, 10.5)
    assert json.loads(answer.body)["lasso_meta"]["won_by"] == "failover"  # type: ignore[arg-type]

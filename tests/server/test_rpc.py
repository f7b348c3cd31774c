"""The handler over a service that does as it is told: what is remembered, what is limited, what is recorded."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Service, Wish
from lasso_trio.server.answer import Answer, parts_of
from lasso_trio.server.connection import Peer
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.http_head import Head, parse_head
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.rpc import RpcHandler

PEER = Peer("203.0.113.5", 4711)
CALL = b'{"jsonrpc":"2.0","id":"mine","method":"eth_call","params":[]}'


@attrs.define(eq=False)
class Puppet:
    """Answers everything with 1, at the end of the request's name in seconds."""

    asked: list[tuple[RoutedChain, Wish, Request, float, bool]] = attrs.field(factory=list)

    async def serve(
        self, chain: RoutedChain, wish: Wish, request: Request, now: float, *, stream: bool, **_: object
    ) -> Served:
        self.asked.append((chain, wish, request, now, stream))
        reply = Reply(b'{"id":', b',"result":1}', None, 1, ord("1"))
        await trio.lowlevel.checkpoint()
        return Served(Outcome(reply=reply, upstream_s=0.25), Strategy.PRIORITY)

    def choose(self, *_: object) -> None:
        return None


def directory(rate: int = 1000, burst: int = 1000) -> Directory:
    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
    profile = Profile(
        "public", "Public", (Chain("eth", 1, "Ethereum", (provider,)),), rps_limit=rate, burst_limit=burst
    )
    return Directory.of(ProfileSet.of([profile]), Registry(_no_pool))


def _no_pool(_: object) -> Any:
    return object()  # as if connected


@attrs.define(eq=False)
class Node:
    handler: RpcHandler
    service: Puppet
    recorded: list[tuple[Exchange, Request, Served, float]]

    async def post(self, target: str, body: bytes = CALL, peer: Peer = PEER, **fields: str) -> Answer:
        return await self.handler(HttpRequest(head(target, **fields), body, trio.current_time()), peer)


def node(service: Any = None, names: Directory | None = None, **settings: Any) -> Node:
    recorded: list[tuple[Exchange, Request, Served, float]] = []

    def record(*facts: Any) -> None:
        recorded.append(facts)  # type: ignore[arg-type]

    service = service or Puppet()
    return Node(RpcHandler(names or directory(), service, Settings(**settings), record), service, recorded)


def head(target: str, method: str = "POST", **fields: str) -> Head:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return parse_head(f"{method} {target} HTTP/1.1\r\nhost: n\r\n{lines}\r\n".encode(), 100)


def told(answer: Answer) -> Any:
    return json.loads(b"".join(parts_of(answer.body)))


def fields_of(answer: Answer) -> Mapping[str, str]:
    lines = answer.headers.decode().split("\r\n")
    assert lines.pop() == ""
    return dict(line.split(": ", 1) for line in lines)


async def test_a_call_is_served_where_the_route_says_and_recorded_once() -> None:
    n = node()
    answer = await n.post("/rpc/fastest/eth?provider_id=alpha")
    assert (answer.status, told(answer)) == (200, {"id": "mine", "result": 1})
    ((chain, wish, request, now, stream),) = n.service.asked
    assert (chain.chain.key, wish.strategy, wish.provider) == ("eth", Strategy.FASTEST, "alpha")
    assert (request.method.name, stream) == ("eth_call", True)
    ((exchange, recorded, _, ended),) = n.recorded
    assert recorded is request
    assert now == exchange.started <= ended
    assert fields_of(answer)["x-request-id"] == exchange.request_id


async def test_a_notification_is_served_and_recorded_and_not_streamed() -> None:
    n = node()
    answer = await n.post("/rpc/eth", b'{"method":"eth_call"}')
    assert (answer.status, answer.body, len(n.recorded)) == (204, b"", 1)
    assert n.service.asked[0][-1] is False


async def test_what_is_made_of_a_head_is_kept_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    n = node()
    request = HttpRequest(head("/rpc/eth", x_request_id="r"), CALL, 0.0)
    await n.handler(request, PEER)
    memo = request.head.route
    monkeypatch.setattr("lasso_trio.server.rpc.resolve", None)
    assert fields_of(await n.handler(request, PEER))["x-request-id"] == "r"
    assert request.head.route is memo


async def test_and_made_again_under_another_configuration() -> None:
    n = node()
    request = HttpRequest(head("/rpc/eth"), CALL, 0.0)
    await n.handler(request, PEER)
    n.handler.directory = attrs.evolve(directory(), generation=1)
    await n.handler(request, PEER)
    assert n.service.asked[0][0] is not n.service.asked[1][0]


async def test_an_error_that_is_kept_gathers_no_tracebacks() -> None:
    n = node()
    request = HttpRequest(head("/rpc/nope"), CALL, 0.0)
    for _ in range(3):
        assert (await n.handler(request, PEER)).status == 400
    error = request.head.route.route.error
    assert error is not None
    frames, traceback = 0, error.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames <= 3  # those of the one time that it was raised
    gc.collect()


@pytest.mark.parametrize("target", ["/rpc", "/rpc/a/b/c"])
async def test_a_path_that_is_no_route_is_a_plain_404(target: str) -> None:
    answer = await node().post(target)
    assert (answer.status, answer.body) == (404, b'{"errors":{"detail":"Not Found"}}')


@pytest.mark.parametrize("target", ["/rpc/eth", "/rpc/nope", "/rpc"])
async def test_a_preflight_is_answered_whatever_the_path(target: str) -> None:
    n = node()
    answer = await n.handler(HttpRequest(head(target, "OPTIONS"), b"", 0.0), PEER)
    assert answer.status == 204
    assert "access-control-allow-methods" in fields_of(answer)
    assert n.service.asked == []


async def test_deadlines_that_are_over_are_each_items_error() -> None:
    """The handler's clock is the moment of admission: a batch that waited too long is not sent anywhere."""
    n = node(Service())
    body = b"[" + b",".join([CALL] * 8) + b"]"
    answer = await n.handler(HttpRequest(head("/rpc/eth"), body, trio.current_time() - 60.0), PEER)
    errors = [item["error"] for item in told(answer)]
    assert len(errors) == 8
    assert {error["code"] for error in errors} == {-32000}
    assert {json.dumps(error.get("data")) for error in errors} == {'{"reason": "deadline_exhausted"}'}


# Limits


async def test_a_limited_client_costs_nothing_but_its_answer(autojump_clock: trio.testing.MockClock) -> None:
    n = node(names=directory(rate=2, burst=2))
    assert [(await n.post("/rpc/eth")).status for _ in range(3)] == [200, 200, 429]
    assert len(n.service.asked) == len(n.recorded) == 2
    answer = await n.post("/rpc/eth")
    assert fields_of(answer)["retry-after"] == "1"
    assert told(answer)["error"]["data"] == {"retry_after_ms": 501, "rate_limit": 2}
    await trio.sleep(0.501)
    assert (await n.post("/rpc/eth")).status == 200


async def test_requests_that_are_none_count_too(autojump_clock: trio.testing.MockClock) -> None:
    n = node(names=directory(rate=1, burst=2))
    statuses = [(await n.post("/rpc/eth", body)).status for body in (b"{}", b"[1]", CALL)]
    assert statuses == [200, 200, 429]


async def test_a_batch_beyond_the_burst_takes_a_full_bucket(autojump_clock: trio.testing.MockClock) -> None:
    n = node(names=directory(rate=1, burst=3))
    body = b"[" + b",".join([CALL] * 10) + b"]"
    assert (await n.post("/rpc/eth", body)).status == 200
    answer = await n.post("/rpc/eth")
    assert (answer.status, told(answer)["id"]) == (429, "mine")
    routed = n.handler.directory.default.names["eth"]
    assert routed.counts.limited == 1


async def test_several_forwarded_for_lines_are_one_list(autojump_clock: trio.testing.MockClock) -> None:
    n = node(names=directory(rate=1, burst=1), trusted_proxies=(ip_network("203.0.113.0/24"),))
    raw = b"POST /rpc/eth HTTP/1.1\r\nhost: n\r\nx-forwarded-for: %b\r\nx-forwarded-for: 203.0.113.7\r\n\r\n"
    statuses = []
    for client in (b"1.1.1.1, 198.51.100.1", b"198.51.100.1", b"198.51.100.2"):
        request = HttpRequest(parse_head(raw % client, 100), CALL, trio.current_time())
        statuses.append((await n.handler(request, PEER)).status)
    assert statuses == [200, 429, 200]


async def test_an_empty_batch_is_no_request() -> None:
    answer = await node().post("/rpc/eth", b"[]")
    assert told(answer) == {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid Request"}}


async def test_too_long_a_batch_is_not_looked_at() -> None:
    n = node(max_batch=2)
    answer = await n.post("/rpc/eth", b"[1,2,3]")
    assert told(answer)["error"]["message"] == "Invalid Request: batch too large"
    assert len(told(await n.post("/rpc/eth", b"[1,2]"))) == 2


async def test_cancellation_passes_through() -> None:
    class Never(Puppet):
        async def serve(self, *_: object, **__: object) -> Served:
            await trio.sleep_forever()
            raise AssertionError

    n = node(Never())
    with trio.move_on_after(0) as scope:
        await n.post("/rpc/eth")
    assert scope.cancelled_caught
    assert n.recorded == []

"""Keys, tokens, origins and networks over HTTP, through the handler that both lanes share."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import attrs
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from lasso_trio.access.api_key import made
from lasso_trio.access.gates import Gates
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, Names
from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.telemetry.call_record import CallRecord
from tests.server.closed_world import KEY, KEYS, POLICY, READER, SECRET, WALLET, TimeOfDay, closed
from tests.server.test_rpc import PEER, Node, fields_of, head, node, told

SEND = b'{"jsonrpc":"2.0","id":"mine","method":"eth_sendRawTransaction","params":["0x"]}'


def closed_node(policy: AccessPolicy = POLICY, rate: int = 1000, **settings: Any) -> Node:
    made_ = node(names=closed(policy, rate=rate), **settings)
    made_.handler.gates = Gates(TimeOfDay())
    return made_


def reason(answer: Answer) -> tuple[int, object]:
    return answer.status, told(answer)["error"]["data"]["reason"]


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/rpc/eth", {"authorization": f"Bearer {KEY}"}),
        ("/rpc/eth", {"x_lasso_api_key": KEY}),
        (f"/rpc/k/{KEY}/eth", {}),
        (f"/rpc/k/{KEY}/profile/public/fastest/eth?provider_id=alpha", {}),
    ],
    ids=["bearer", "header", "path", "path and more"],
)
async def test_a_key_lets_its_client_in_wherever_it_is_shown(target: str, fields: dict[str, str]) -> None:
    n = closed_node()
    answer = await n.post(target, **fields)
    assert (answer.status, told(answer)) == (200, {"id": "mine", "result": 1})
    ((exchange, *_),) = n.recorded
    assert exchange.route.guard is not None
    assert exchange.route.guard.client == "wallet"
    assert KEY not in exchange.route.path


async def test_who_shows_nothing_is_told_what_is_wanted_with_the_id_of_the_call() -> None:
    n = closed_node()
    answer = await n.post("/rpc/eth")
    assert reason(answer) == (401, "missing")
    assert (told(answer)["id"], told(answer)["error"]["code"]) == ("mine", -32016)
    fields = fields_of(answer)
    assert fields["www-authenticate"] == 'Bearer realm="lasso"'
    assert fields["access-control-allow-origin"] == "*"
    assert n.service.asked == []


@pytest.mark.parametrize(
    "shown",
    [made("wallet"), KEY[:-1], "lasso_", "x.y.z", "?"],
    ids=["another", "cut", "prefix", "no token", "mark"],
)
async def test_a_wrong_key_is_refused_and_not_repeated(shown: str) -> None:
    answer = await closed_node().post("/rpc/eth", authorization=f"Bearer {shown}")
    assert answer.status == 401
    assert len(shown) < 3 or shown.encode() not in b"".join([answer.headers, bytes(answer.body)])  # type: ignore[arg-type]


async def test_a_query_is_not_looked_at() -> None:
    assert reason(await closed_node().post(f"/rpc/eth?key={KEY}&api_key={KEY}")) == (401, "missing")


async def test_a_batch_is_refused_as_a_whole_without_a_key() -> None:
    answer = await closed_node().post("/rpc/eth", b'[{"jsonrpc":"2.0","id":1,"method":"eth_call"}]')
    assert (answer.status, told(answer)["id"]) == (401, None)


async def test_a_token_is_believed_until_it_expires_on_the_same_connection_too() -> None:
    n, clock = closed_node(), TimeOfDay()
    n.handler.gates.clock = clock
    claims = {"sub": "alice", "exp": int(clock.now) + 60}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    request = HttpRequest(head("/rpc/eth", authorization=f"Bearer {token}"), SEND, 0.0)
    assert (await n.handler(request, PEER)).status == 200
    assert n.recorded[0][0].route.guard.client == "alice"  # type: ignore[union-attr]
    clock.now += 60
    assert reason(await n.handler(request, PEER)) == (401, "token")


async def test_a_key_that_a_reload_removes_stops_at_once_and_a_new_one_is_taken() -> None:
    n = closed_node()
    kept = HttpRequest(head("/rpc/eth", x_lasso_api_key=KEY), SEND, 0.0)
    coming = HttpRequest(head("/rpc/eth", x_lasso_api_key=READER), b'{"id":1,"method":"eth_call"}', 0.0)
    n.handler.directory = closed(AccessPolicy(Auth((WALLET,))))
    assert ((await n.handler(kept, PEER)).status, (await n.handler(coming, PEER)).status) == (200, 401)
    n.handler.directory = closed(AccessPolicy(Auth(KEYS[1:])), generation=1)
    assert ((await n.handler(kept, PEER)).status, (await n.handler(coming, PEER)).status) == (401, 200)


async def test_a_method_that_the_key_may_not_call_is_forbidden() -> None:
    n = closed_node()
    answer = await n.post("/rpc/eth", SEND, x_lasso_api_key=READER)
    assert (reason(answer), told(answer)["id"]) == ((403, "method"), "mine")
    assert (await n.post("/rpc/eth", SEND, x_lasso_api_key=KEY)).status == 200
    notification = b'{"jsonrpc":"2.0","method":"eth_sendRawTransaction","params":["0x"]}'
    assert (await n.post("/rpc/eth", notification, x_lasso_api_key=READER)).status == 204
    assert len(n.service.asked) == 1


async def test_in_a_batch_only_what_is_forbidden_is_refused() -> None:
    n = closed_node()
    call = b'{"jsonrpc":"2.0","id":7,"method":"eth_call","params":[]}'
    answer = await n.post("/rpc/eth", b"[%b,%b]" % (SEND, call), x_lasso_api_key=READER)
    first, second = told(answer)
    assert (answer.status, first["id"], first["error"]["data"]["reason"]) == (200, "mine", "method")
    assert second["result"] == 1
    assert [request.method.name for _, _, request, *_ in n.service.asked] == ["eth_call"]


async def test_forbidden_notifications_of_a_batch_are_left_out_silently() -> None:
    n = closed_node()
    silent = b'{"jsonrpc":"2.0","method":"eth_sendRawTransaction","params":["0x"]}'
    answer = await n.post("/rpc/eth", b"[%b]" % silent, x_lasso_api_key=READER)
    assert (answer.status, n.service.asked) == (204, [])
    assert (await n.post("/rpc/eth", b"[]", x_lasso_api_key=READER)).status == 200  # -32600, as for everybody


async def test_a_chain_that_the_key_may_not_use_is_forbidden() -> None:
    assert reason(await closed_node().post("/rpc/base", x_lasso_api_key=READER)) == (403, "chain")
    assert (await closed_node().post("/rpc/8453", x_lasso_api_key=KEY)).status == 200


async def test_a_key_with_a_rate_has_buckets_of_its_own_and_is_told_its_own_rate() -> None:
    n = closed_node(rate=1)
    statuses = [(await n.post("/rpc/eth", x_lasso_api_key=READER)).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = await n.post("/rpc/eth", peer=Peer("198.51.100.7", 1), x_lasso_api_key=READER)
    assert (refused.status, told(refused)["error"]["data"]["rate_limit"]) == (429, 2)
    assert (await n.post("/rpc/eth", x_lasso_api_key=KEY)).status == 200  # the address's limit is untouched
    assert (await n.post("/rpc/eth", x_lasso_api_key=KEY)).status == 429


async def test_guessing_counts_against_the_limit_of_the_address() -> None:
    n = closed_node(rate=2)
    assert [(await n.post("/rpc/eth", x_lasso_api_key=made("x"))).status for _ in range(3)] == [401, 401, 429]


async def test_methods_of_the_profile_hold_for_everybody() -> None:
    n = closed_node(AccessPolicy(methods=Names(("eth_*",), ("eth_send*",))))
    assert (await n.post("/rpc/eth")).status == 200
    assert reason(await n.post("/rpc/eth", SEND)) == (403, "method")
    assert (await n.post("/rpc/eth", b'{"id":1,"method":"net_version"}')).status == 403


async def test_a_network_is_that_of_the_client_behind_trusted_proxies() -> None:
    policy = AccessPolicy(networks=(ip_network("10.0.0.0/8"),))
    n = closed_node(policy, trusted_proxies=(ip_network("203.0.113.0/24"),))
    assert reason(await n.post("/rpc/eth")) == (403, "network")
    assert (await n.post("/rpc/eth", x_forwarded_for="10.1.2.3")).status == 200
    spoofed = await n.post("/rpc/eth", peer=Peer("198.51.100.7", 1), x_forwarded_for="10.1.2.3")
    assert reason(spoofed) == (403, "network")


ORIGINS = attrs.evolve(POLICY, origins=("https://*.example.org",))


async def test_web_pages_of_allowed_origins_may_read_every_answer() -> None:
    n = closed_node(ORIGINS)
    for fields, status in (({"x_lasso_api_key": KEY}, 200), ({}, 401)):
        answer = await n.post("/rpc/eth", origin="https://app.example.org", **fields)
        told_ = fields_of(answer)
        assert (answer.status, told_["access-control-allow-origin"]) == (status, "https://app.example.org")
        assert told_["vary"] == "origin"


async def test_other_web_pages_are_refused_and_may_read_nothing() -> None:
    answer = await closed_node(ORIGINS).post("/rpc/eth", origin="https://evil.example", x_lasso_api_key=KEY)
    assert reason(answer) == (403, "origin")
    assert "access-control-allow-origin" not in fields_of(answer)
    assert fields_of(answer)["vary"] == "origin"


async def test_who_is_no_web_page_has_no_origin_and_is_let_in() -> None:
    answer = await closed_node(ORIGINS).post("/rpc/eth", x_lasso_api_key=KEY)
    assert (answer.status, "access-control-allow-origin" in fields_of(answer)) == (200, False)


@pytest.mark.parametrize(("origin", "named"), [("https://a.example.org", True), ("https://evil.example", False)])
async def test_a_preflight_needs_no_key_and_names_the_origin_if_it_may_call(origin: str, named: bool) -> None:
    n = closed_node(ORIGINS)
    answer = await n.handler(HttpRequest(head("/rpc/eth", "OPTIONS", origin=origin), b"", 0.0), PEER)
    fields = fields_of(answer)
    assert (answer.status, fields.get("access-control-allow-origin") == origin) == (204, named)
    assert "x-lasso-api-key" in fields["access-control-allow-headers"]


async def test_what_is_no_json_is_told_so_behind_a_guard_too() -> None:
    answer = await closed_node(ORIGINS).post("/rpc/eth", b"{", x_lasso_api_key=KEY)
    assert (answer.status, "access-control-allow-origin" in fields_of(answer)) == (400, False)
    assert (await closed_node().post("/rpc/eth", b'{"id":5}')).status == 401
    assert told(await closed_node().post("/rpc/eth", b'{"id":5}', x_lasso_api_key=KEY))["error"]["code"] == -32600


async def test_a_path_that_leads_nowhere_is_told_so_without_a_key() -> None:
    answer = await closed_node().post(f"/rpc/k/{KEY}/nowhere")
    assert (answer.status, KEY.encode() in bytes(answer.body)) == (400, False)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["/rpc/nowhere", "/rpc/eth/nobody", "/rpc/eth/alpha", "/rpc/provider/nobody/eth"])
async def test_strangers_do_not_learn_which_chains_and_providers_there_are(target: str) -> None:
    n = closed_node(ORIGINS)
    answer = await n.post(target)
    assert reason(answer) == (401, "missing")
    assert told(answer)["id"] == "mine"
    evil = await n.post(target, origin="https://evil.example", x_lasso_api_key=KEY)
    assert (reason(evil), "access-control-allow-origin" in fields_of(evil)) == ((403, "origin"), False)


async def test_who_tries_out_names_is_limited_like_who_tries_out_keys() -> None:
    n = closed_node(rate=2)
    assert [(await n.post(f"/rpc/chain{n_}")).status for n_ in range(3)] == [401, 401, 429]


async def test_a_key_for_some_chains_is_told_what_there_is_not() -> None:
    answer = await closed_node().post("/rpc/nowhere", x_lasso_api_key=READER)
    assert (answer.status, told(answer)["id"], told(answer)["error"]["code"]) == (400, "mine", -32602)


async def test_what_is_forbidden_counts_against_the_limit_too() -> None:
    n = closed_node()
    statuses = [(await n.post("/rpc/eth", SEND, x_lasso_api_key=READER)).status for _ in range(3)]
    assert statuses == [403, 403, 429]
    methods = closed_node(AccessPolicy(methods=Names(("eth_call",))), rate=2)
    silent = b'[{"jsonrpc":"2.0","method":"eth_sendRawTransaction","params":["0x"]}]'
    assert [(await methods.post("/rpc/eth", silent)).status for _ in range(3)] == [204, 204, 429]


async def test_an_open_profile_has_no_guard() -> None:
    n = node()
    await n.post("/rpc/eth", x_lasso_api_key=KEY)
    assert n.recorded[0][0].route.guard is None
    assert n.handler.gates.gates == {}


async def test_the_log_line_has_the_name_of_the_key_and_never_the_key() -> None:
    from lasso_trio.server.call_teller import CallTeller
    from lasso_trio.telemetry.call_record import json_line, pretty_line

    pushed: list[CallRecord] = []

    class Kept:
        def wants(self, *_: object) -> bool:
            return True

        def push(self, record: CallRecord) -> None:
            pushed.append(record)

    n = closed_node()
    await n.post(f"/rpc/k/{KEY}/eth")
    CallTeller(Kept())(*n.recorded[0])  # type: ignore[arg-type]
    (record,) = pushed
    assert json.loads(json_line(record))["client"] == "wallet"
    assert b"by wallet" in pretty_line(record)
    assert KEY.encode() not in json_line(record) + pretty_line(record)


async def test_a_disabled_key_is_like_none() -> None:
    off = attrs.evolve(POLICY, auth=Auth((ApiKey("wallet", WALLET.digest, disabled=True),)))
    assert reason(await closed_node(off).post("/rpc/eth", x_lasso_api_key=KEY)) == (401, "unknown_key")

"""A notification is explained too, and an answer is JSON-RPC. (Over the wire: tests/surface/test_explain.)"""

from __future__ import annotations

import json
from typing import Any

import trio

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.request import decode
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.explanation import explanation
from lasso_trio.server.routes import resolve
from lasso_trio.upstream.http1 import Pool

NODE = Provider("a", "A", "1:a:0", SecretUrl("http://a/"))
PROFILES = ProfileSet.of([Profile("public", "Public", (Chain("eth", 1, "Ethereum", (NODE,)),))])


async def told(body: bytes) -> Any:
    route = resolve("/rpc/eth?explain=1", {}, Directory.of(PROFILES, Registry(Pool)))
    assert route.explain
    answer = explanation(Service(), Exchange(route, "me", trio.current_time()), decode(body, 10))
    assert answer.status == 200
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


async def test_a_notification_is_explained_under_id_null() -> None:
    answer = await told(b'{"jsonrpc":"2.0","method":"eth_gasPrice","params":[]}')
    assert (answer["id"], answer["result"]["candidates"][0]["label"]) == (None, "a:http")


async def test_what_is_no_request_is_told_so() -> None:
    assert (await told(b'{"jsonrpc":"2.0","id":3,"method":7}'))["error"]["code"] == -32600

"""`lasso_meta`, request ids, timing and CORS: what an answer says of itself."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest

from lasso_trio.devnet import Failure, Faults, Kind
from tests.surface.conftest import CHAIN_ID, Response, Start, Surface, rpc

TIMES = {"selection_latency_ms", "upstream_latency_ms", "end_to_end_latency_ms", "lasso_overhead_ms"}


def in_header(answer: Response) -> dict[str, Any]:
    text = answer["x-lasso-meta"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    meta: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return meta


@pytest.mark.parametrize("way", ["header", "body"])
async def test_every_field_is_there(surface: Surface, way: str) -> None:
    query = {"header": "headers", "body": "body"}[way]
    fields = {"x-request-id": "my-1"}
    answer = await surface.ask("eth_blockNumber", path=f"/rpc/priority/dev?include_meta={query}", fields=fields)
    meta = in_header(answer) if way == "header" else answer.json.pop("lasso_meta")
    times = {name: meta.pop(name) for name in TIMES}
    assert meta == {
        "version": "1.0",
        "request_id": "my-1",
        "strategy": "priority",
        "profile": "public",
        "chain": "devnet",
        "chain_id": CHAIN_ID,
        "transport": "http",
        "candidate_providers": ["alpha:http", "beta:http"],
        "selected_provider": {"id": "alpha", "protocol": "http"},
        "selection_reason": "static_priority",
        "retries": 0,
        "circuit_breaker_state": "closed",
        "hedges": 0,
    }
    assert 0 < times["upstream_latency_ms"] <= times["end_to_end_latency_ms"]
    parts = times["upstream_latency_ms"] + times["lasso_overhead_ms"]
    assert parts == pytest.approx(times["end_to_end_latency_ms"], abs=0.01)


async def test_the_header_way_leaves_the_body_alone_and_names_the_request(surface: Surface) -> None:
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet?include_meta=headers")
    assert answer.body == b'{"jsonrpc":"2.0","id":1,"result":"0x3e8"}'
    assert answer["x-lasso-request-id"] == answer["x-request-id"] == in_header(answer)["request_id"]


async def test_the_body_way_adds_one_member_and_nothing_else(surface: Surface) -> None:
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet?include_meta=body")
    assert answer.body.startswith(b'{"jsonrpc":"2.0","id":1,"result":"0x3e8","lasso_meta":{"version":"1.0",')
    assert "x-lasso-meta" not in answer
    assert "x-lasso-request-id" not in answer


@pytest.mark.parametrize(
    ("query", "fields", "found"),
    [
        ("", {}, None),
        ("?include_meta=none", {}, None),
        ("?include_meta=everything", {}, None),
        ("", {"X-Lasso-Include-Meta": "headers"}, "headers"),
        ("", {"X-Lasso-Include-Meta": "body"}, "body"),
        ("", {"X-Lasso-Include-Meta": "always"}, None),
        ("?include_meta=body", {"X-Lasso-Include-Meta": "headers"}, "body"),
        ("?include_meta=headers", {"X-Lasso-Include-Meta": "body"}, "headers"),
        ("?include_meta=none", {"X-Lasso-Include-Meta": "body"}, None),
        ("?include_meta=everything", {"X-Lasso-Include-Meta": "body"}, None),
    ],
)
async def test_the_query_is_heard_before_the_header(
    surface: Surface, query: str, fields: Mapping[str, str], found: str | None
) -> None:
    answer = await surface.ask("eth_blockNumber", path=f"/rpc/devnet{query}", fields=fields)
    where = "headers" if "x-lasso-meta" in answer else "body" if "lasso_meta" in answer.json else None
    assert where == found


@pytest.mark.parametrize(
    ("strategy", "reasons"),
    [
        ("priority", {"static_priority"}),
        ("load-balanced", {"load_balanced_rotation"}),
        ("latency-weighted", {"latency_weighted_selection"}),
        ("fastest", {"fastest_method_latency", "exploration"}),
    ],
)
async def test_the_reason_of_the_selection_is_named(surface: Surface, strategy: str, reasons: set[str]) -> None:
    answer = await surface.ask("eth_blockNumber", path=f"/rpc/{strategy}/devnet?include_meta=body")
    assert answer.json["lasso_meta"]["selection_reason"] in reasons


async def test_a_failover_is_told(start: Start) -> None:
    surface = await start(alpha=Faults(failures=(Failure(Kind.HTTP, status=500),)), beta=Faults())
    answer = await surface.ask("eth_blockNumber", path="/rpc/priority/devnet?include_meta=body")
    meta = answer.json["lasso_meta"]
    assert (meta["selected_provider"]["id"], meta["retries"], meta["selection_reason"]) == ("beta", 1, "failover")


async def test_errors_have_metadata_too(start: Start) -> None:
    surface = await start(alpha=Faults(failures=(Failure(Kind.RPC, code=3, message="execution reverted"),)))
    answer = await surface.ask("eth_call", {}, path="/rpc/devnet?include_meta=body")
    assert answer.json["error"] == {"code": 3, "message": "execution reverted"}
    assert answer.json["lasso_meta"]["selected_provider"]["id"] == "alpha"
    answer = await surface.ask("eth_accounts", path="/rpc/devnet?include_meta=body")
    meta = answer.json["lasso_meta"]
    assert "selected_provider" not in meta
    assert "transport" not in meta
    assert meta["circuit_breaker_state"] == "unknown"


async def test_an_answer_from_here_says_so(surface: Surface) -> None:
    answer = await surface.ask("eth_chainId", path="/rpc/devnet?include_meta=headers")
    meta = in_header(answer)
    assert meta["selection_reason"] == "local"
    assert "selected_provider" not in meta


async def test_a_batch_has_the_first_calls_metadata_in_headers_and_each_answers_own_in_its_body(
    surface: Surface,
) -> None:
    batch = b"[7," + rpc("eth_chainId") + b"," + rpc("eth_blockNumber") + b"]"
    answer = await surface.post("/rpc/devnet?include_meta=headers", batch)
    assert in_header(answer)["selection_reason"] == "local"
    answer = await surface.post("/rpc/devnet?include_meta=body", batch)
    wrong, local, asked = answer.json
    assert "lasso_meta" not in wrong
    assert local["lasso_meta"]["selection_reason"] == "local"
    assert asked["lasso_meta"]["selected_provider"]["protocol"] == "http"


async def test_a_notification_has_its_metadata_in_headers(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet?include_meta=headers", b'{"method":"eth_blockNumber"}')
    assert answer.status == 204
    assert in_header(answer)["selected_provider"]["protocol"] == "http"


async def test_metadata_over_4096_bytes_is_left_out_of_the_headers(
    start: Start, replying: Callable[[bytes], Awaitable[str]]
) -> None:
    url = await replying(b'{"jsonrpc":"2.0","id":@,"result":1}')
    few = {f"provider-number-{i:03}": url for i in range(120)}
    surface = await start(upstreams=few)
    answer = await surface.ask("eth_gasPrice", path="/rpc/devnet?include_meta=headers")
    assert "x-lasso-meta" not in answer
    assert answer["x-lasso-request-id"] == answer["x-request-id"]
    answer = await surface.ask("eth_gasPrice", path="/rpc/devnet?include_meta=body")
    assert len(answer.json["lasso_meta"]["candidate_providers"]) == 120


async def test_a_long_request_id_is_shown_as_its_digest(surface: Surface) -> None:
    long = "a" * 129
    answer = await surface.ask("eth_chainId", path="/rpc/devnet?include_meta=headers", fields={"x-request-id": long})
    digest = f"sha256:{sha256(long.encode()).hexdigest()}"
    assert answer["x-request-id"] == long
    assert answer["x-lasso-request-id"] == in_header(answer)["request_id"] == digest
    short = "a" * 128
    answer = await surface.ask("eth_chainId", path="/rpc/devnet?include_meta=headers", fields={"x-request-id": short})
    assert answer["x-lasso-request-id"] == short


# Request ids


@pytest.mark.parametrize("given", ["abc", "A.b_c:d/e+f=g@h-1", "0" * 200, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"])
async def test_a_sane_request_id_is_kept(surface: Surface, given: str) -> None:
    for answer in (
        await surface.ask("eth_chainId", fields={"X-Request-Id": given}),
        await surface.post("/rpc/nope", b"{}", {"X-Request-Id": given}),
        await surface.get("/api/health", {"X-Request-Id": given}),
        await surface.get("/nothing", {"X-Request-Id": given}),
    ):
        assert answer["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "0" * 201, 'a"b', "<script>", "é", "a,b", "a;b"])
async def test_any_other_is_replaced(surface: Surface, given: str) -> None:
    for answer in (
        await surface.ask("eth_chainId", fields={"x-request-id": given}),
        await surface.get("/api/health", {"x-request-id": given}),
    ):
        assert re.fullmatch(r"[0-9a-f]{20,}", answer["x-request-id"])


async def test_ids_made_here_differ(surface: Surface) -> None:
    client = await surface.connect()
    ids = {(await client.request("POST", "/rpc/devnet", rpc("eth_chainId")))["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


# What every answer has

ANSWERS: list[tuple[int, str, str, bytes, Mapping[str, str]]] = [
    (200, "POST", "/rpc/devnet", rpc("eth_blockNumber"), {}),
    (200, "POST", "/rpc/devnet", rpc("foobar"), {}),
    (200, "POST", "/rpc/devnet", b"[" + rpc("eth_chainId") + b"]", {}),
    (200, "POST", "/rpc/devnet", rpc("devnet_blob", 400_000), {}),
    (204, "POST", "/rpc/devnet", b'{"method":"eth_chainId"}', {}),
    (400, "POST", "/rpc/devnet", b"not JSON", {}),
    (400, "POST", "/rpc/nope", rpc("eth_chainId"), {}),
    (404, "POST", "/rpc/profile/nope/devnet", rpc("eth_chainId"), {}),
    (404, "POST", "/rpc", b"{}", {}),
    (404, "GET", "/rpc/devnet", b"", {}),
    (404, "GET", "/favicon.ico", b"", {}),
    (404, "POST", "/api/chains", b"{}", {}),
    (400, "POST", "/rpc/devnet", b"", {"content-length": "1x"}),
    (413, "POST", "/rpc/devnet", b"", {"content-length": "8000001"}),
    (413, "POST", "/api/health", b"", {"content-length": "8000001"}),
    (415, "POST", "/rpc/devnet", b"x", {"content-encoding": "br"}),
    (417, "POST", "/rpc/devnet", b"x", {"expect": "miracles"}),
    (431, "POST", "/rpc/devnet", b"x", {"x": "y" * 20_000}),
    (503, "POST", "/rpc/devnet", b"", {"content-length": "2000000"}),
    (200, "GET", "/api/health", b"", {}),
    (200, "GET", "/api/ready", b"", {}),
    (200, "GET", "/api/chains", b"", {}),
    (200, "GET", "/api/metrics/devnet", b"", {}),
    (404, "GET", "/api/metrics/nope", b"", {}),
    (200, "HEAD", "/api/health", b"", {}),
]


@pytest.mark.parametrize(("status", "method", "target", "body", "fields"), ANSWERS)
async def test_every_answer_may_be_read_by_any_page_and_has_an_id_and_its_timing(
    start: Start, status: int, method: str, target: str, body: bytes, fields: Mapping[str, str]
) -> None:
    surface = await start(settings={"byte_budget": 1_000_000} if status == 503 else {})
    answer = await surface.request(method, target, body, fields)
    assert answer.status == status
    assert answer["access-control-allow-origin"] == "*"
    exposed = set(answer["access-control-expose-headers"].split(", "))
    assert {"x-request-id", "x-lasso-request-id", "x-lasso-meta", "server-timing", "retry-after"} <= exposed
    assert re.fullmatch(r"[0-9a-f]{20,}", answer["x-request-id"])
    assert re.fullmatch(r"(upstream;dur=\d+\.\d{3}, )?total;dur=\d+\.\d{3}", answer["server-timing"])
    assert answer["content-type"] == "application/json; charset=utf-8"
    assert "date" in answer


async def test_a_limited_answer_may_be_read_by_any_page_too(start: Start) -> None:
    surface = await start(profile={"rps_limit": 1, "burst_limit": 1})
    await surface.ask("eth_chainId")
    answer = await surface.ask("eth_chainId", fields={"origin": "https://page.example", "x-request-id": "r"})
    assert (answer.status, answer["access-control-allow-origin"], answer["x-request-id"]) == (429, "*", "r")
    assert "server-timing" in answer


async def test_the_timing_is_of_this_call(surface: Surface) -> None:
    timing = (await surface.ask("eth_blockNumber"))["server-timing"]
    upstream, total = (float(part.partition("=")[2]) for part in timing.split(", "))
    assert 0 < upstream <= total


@pytest.mark.parametrize("target", ["/rpc/devnet", "/rpc/profile/team/fastest/devnet", "/api/health", "/nothing"])
async def test_a_preflight_is_answered_with_what_a_page_may_send(surface: Surface, target: str) -> None:
    asked = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-lasso-provider",
    }
    answer = await surface.request("OPTIONS", target, fields=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-origin"] == "*"
    assert answer["access-control-allow-methods"] == "GET, POST, OPTIONS"
    allowed = set(answer["access-control-allow-headers"].split(", "))
    assert {"content-type", "authorization", "x-requested-with"} <= allowed
    assert {"x-lasso-provider", "x-lasso-transport", "x-lasso-include-meta", "x-request-id"} <= allowed
    assert answer["access-control-max-age"] == "86400"

"""JSON-RPC over HTTP/2 gives the answers of the lane: both are asked the same, and compared."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.devnet import Faults, Latency
from lasso_trio.jsonrpc.errors import LIMIT_EXCEEDED
from tests.surface.conftest import Client, Response, Script, Start, Surface, rpc
from tests.surface.http2 import Broken, Http2Client

FRAMING = {"date", "content-length", "transfer-encoding", "connection"}
ABOUT_THIS_REQUEST = {"x-request-id", "server-timing", "x-lasso-request-id", "x-lasso-meta"}


async def speak_http2(surface: Surface) -> Http2Client:
    client = Http2Client((await surface.connect()).stream)
    await client.begin()
    return client


@attrs.frozen
class Both:
    one: Client
    two: Http2Client

    async def ask(self, method: str, target: str, body: bytes, fields: tuple[tuple[str, str], ...]) -> list[Response]:
        answers = [await client.request(method, target, body, fields) for client in (self.one, self.two)]
        return [attrs.evolve(answer, fields=_comparable(answer)) for answer in answers]


def _comparable(answer: Response) -> tuple[tuple[str, str], ...]:
    """Headers without framing; of those that differ from request to request only that they are there."""
    kept = [(name, "…" if name in ABOUT_THIS_REQUEST else value) for name, value in answer.fields]
    return tuple(sorted(field for field in kept if field[0] not in FRAMING))


@pytest.fixture
async def both(surface: Surface) -> Both:
    return Both(await surface.connect(), await speak_http2(surface))


BODIES: list[bytes] = [
    rpc("eth_blockNumber"),
    rpc("eth_chainId", id=2**70),
    b'{"method":"eth_blockNumber"}',
    b'[{"method":"eth_blockNumber","id":1.0},7,{"method":"eth_chainId","id":null},{"method":"eth_gasPrice"}]',
    b'[{"method":"eth_blockNumber"}]',
    b"[]",
    b"[" + b",".join([b"{}"] * 51) + b"]",
    b"",
    b"not JSON",
    b"\xff",
    b'{"jsonrpc":"1.0","id":1,"method":"x"}',
    b'{"id":{},"method":"x"}',
    rpc("eth_accounts"),
    rpc("eth_subscribe", "newHeads"),
    rpc("foobar"),
    rpc("eth_call", {"to": "0x" + "00" * 20}, "latest"),
    rpc("devnet_blob", 5000),
]


@pytest.mark.parametrize("body", BODIES)
async def test_the_same_bodies_get_the_same_answers(both: Both, body: bytes) -> None:
    lane, other = await both.ask("POST", "/rpc/priority/devnet", body, ())
    assert lane == other


REQUESTS: list[tuple[str, str, tuple[tuple[str, str], ...]]] = [
    ("POST", "/rpc/profile/team/fastest/dev", ()),
    ("POST", "/rpc/d%C3%A9v%20net", ()),
    ("POST", "/rpc/devnet/beta?include_meta=headers", ()),
    ("POST", "/rpc/devnet?provider_id=ghost", ()),
    ("POST", "/rpc/devnet", (("x-lasso-provider", "ghost"),)),
    ("POST", "/rpc/devnet/ghost", ()),
    ("POST", "/rpc/nope", ()),
    ("POST", "/rpc/a%2Fb", ()),
    ("POST", "/rpc/profile/nope/devnet", ()),
    ("POST", "/rpc/profile//devnet", ()),
    ("POST", "/rpc/profile/%20/devnet", ()),
    ("POST", "/rpc//", ()),
    ("POST", "/rpc", ()),
    ("POST", "/rpc/", ()),
    ("POST", "/rpc/a/b/c/d", ()),
    ("GET", "/rpc/devnet", ()),
    ("HEAD", "/rpc/devnet", ()),
    ("PUT", "/rpc/devnet", ()),
    ("OPTIONS", "/rpc/devnet", (("origin", "https://x"), ("access-control-request-method", "POST"))),
    ("POST", "/rpc/devnet", (("x-request-id", "mine-1"),)),
    ("POST", "/rpc/devnet", (("content-type", "text/plain"),)),
    ("POST", "/rpc/devnet", (("content-encoding", "br"),)),
    ("POST", "/rpc/devnet", (("content-encoding", "gzip"),)),
    ("POST", "/rpc/devnet", (("accept", "text/html"),)),
]


@pytest.mark.parametrize(("method", "target", "fields"), REQUESTS)
async def test_the_same_urls_and_headers_get_the_same_answers(
    surface: Surface, method: str, target: str, fields: tuple[tuple[str, str], ...]
) -> None:
    both = Both(await surface.connect(), await speak_http2(surface))
    lane, other = await both.ask(method, target, rpc("eth_chainId") if method == "POST" else b"", fields)
    assert lane == other


async def test_the_request_id_is_the_clients_own(both: Both) -> None:
    answer = await both.two.request("POST", "/rpc/devnet", rpc("eth_chainId"), [("x-request-id", "mine")])
    assert answer["x-request-id"] == "mine"


async def test_an_answer_without_a_body_has_no_length(both: Both) -> None:
    answer = await both.two.request("POST", "/rpc/devnet", b'{"method":"eth_chainId"}')
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer


async def test_bodies_are_inflated_and_answers_compressed(both: Both) -> None:
    body = gzip.compress(rpc("devnet_blob", 5000))
    fields = (("content-encoding", "gzip"), ("accept-encoding", "gzip"))
    lane, other = await both.ask("POST", "/rpc/devnet", body, fields)
    assert lane == other
    assert other["content-encoding"] == "gzip"
    assert len(other.body) < 500
    assert json.loads(gzip.decompress(other.body))["result"] == "x" * 5000


async def test_large_results_are_streamed_and_compressed_too(both: Both) -> None:
    body = rpc("devnet_blob", 1_000_000, id="é")
    lane, other = await both.ask("POST", "/rpc/devnet?include_meta=headers", body, ())
    assert lane == other
    assert other.json == {"jsonrpc": "2.0", "id": "é", "result": "x" * 1_000_000}
    lane, other = await both.ask("POST", "/rpc/devnet", body, (("accept-encoding", "gzip"),))
    assert (lane.status, lane.fields) == (other.status, other.fields)
    assert gzip.decompress(other.body) == gzip.decompress(lane.body)
    assert json.loads(gzip.decompress(other.body))["id"] == "é"


async def test_a_result_that_breaks_off_is_a_broken_answer(
    start: Start, scripted: Callable[[Script], Awaitable[str]]
) -> None:
    async def half(id_: int, _: object, stream: trio.abc.Stream) -> None:
        head = b'{"jsonrpc":"2.0","id":%d,"result":"' % id_
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + head + b"x" * 1_000_000)
        await stream.aclose()

    surface = await start(upstreams={"odd": await scripted(half)})
    client = await speak_http2(surface)
    with capture_logs(), pytest.raises(Broken), trio.fail_after(5):
        await client.request("POST", "/rpc/devnet", rpc("eth_getLogs"))
    assert (await surface.ask("eth_chainId")).status == 200


async def test_too_large_a_body_is_refused_in_the_same_words(start: Start) -> None:
    surface = await start(settings={"max_body_bytes": 200_000})
    both = Both(await surface.connect(), await speak_http2(surface))
    lane, other = await both.ask("POST", "/rpc/devnet", b"x" * 200_001, ())
    assert lane == other
    assert other.status == 413


async def test_the_byte_budget_is_one_for_both(start: Start) -> None:
    surface = await start(settings={"byte_budget": 4096})
    client = await speak_http2(surface)
    assert (await client.request("POST", "/rpc/devnet", rpc("eth_chainId"))).status == 200
    assert surface.app.door.budget.used == 0
    answer = await client.request("POST", "/rpc/devnet", b" " * 4097)
    assert (answer.status, answer.error["code"]) == (503, -32008)
    assert surface.app.door.budget.used == 0


async def test_an_address_has_one_share_of_the_byte_budget_for_both(start: Start) -> None:
    surface = await start(settings={"max_body_bytes_per_ip": 5000})
    client = await speak_http2(surface)
    assert (await client.request("POST", "/rpc/devnet", rpc("eth_chainId"))).status == 200
    lane = await surface.connect()
    await lane.stream.send_all(b"POST /rpc/devnet HTTP/1.1\r\nhost: node\r\ncontent-length: 4900\r\n\r\n ")
    with trio.fail_after(10):
        while not surface.app.door.budget.used:  # noqa: ASYNC110 (nothing announces it)
            await trio.sleep(0.01)
    answer = await client.request("POST", "/rpc/devnet", b" " * 900)
    assert (answer.status, answer.error["code"]) == (503, -32008)
    await lane.stream.aclose()


async def test_an_address_has_so_many_calls_at_a_time_whatever_it_speaks(start: Start) -> None:
    surface = await start(alpha=Faults(latency=Latency.constant(1500)), settings={"max_in_flight_per_ip": 1})
    client, lane = await speak_http2(surface), await surface.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.request, "POST", "/rpc/devnet", rpc("eth_gasPrice"))
        with trio.fail_after(10):
            while not surface.app.door.in_flight:  # noqa: ASYNC110 (nothing announces it)
                await trio.sleep(0.005)
        answer = await client.request("POST", "/rpc/devnet", rpc("eth_blockNumber"))
    assert (answer.status, answer.error["code"]) == (429, LIMIT_EXCEEDED)
    assert (await client.request("POST", "/rpc/devnet", rpc("eth_blockNumber"))).status == 200


async def test_clients_are_limited_together_whatever_they_speak(start: Start) -> None:
    surface = await start(profile={"rps_limit": 1, "burst_limit": 2})
    both = Both(await surface.connect(), await speak_http2(surface))
    for _ in range(2):
        lane, other = await both.ask("POST", "/rpc/devnet", rpc("eth_chainId"), ())
    assert (lane.status, other.status) == (429, 429)
    assert other.error["data"]["rate_limit"] == 1
    assert other["retry-after"] in ("1", "2")


async def test_many_calls_share_one_connection(start: Start) -> None:
    surface = await start(alpha=Faults())
    client = await speak_http2(surface)
    for i in range(20):
        answer = await client.request("POST", "/rpc/devnet", rpc("eth_blockNumber", id=i))
        assert answer.json == {"jsonrpc": "2.0", "id": i, "result": "0x3e8"}


async def test_apis_answer_over_http2_as_over_http1(surface: Surface) -> None:
    both = Both(await surface.connect(), await speak_http2(surface))
    lane, other = await both.ask("GET", "/api/chains", b"", ())
    assert lane == other
    assert other.json["chains"]

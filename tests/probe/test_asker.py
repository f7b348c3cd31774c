from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme
from hypercorn.config import Config
from hypercorn.trio import serve

from lasso_trio.config.secret import Secret
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.probe import asker as asking
from lasso_trio.probe.answer import Told
from lasso_trio.probe.asker import Asker, Counter, Manners
from tests.probe.conftest import QUICK, Open, target


async def test_every_request_and_every_call_is_counted(asked: Open) -> None:
    async with asked() as asker:
        assert (await asker.ask("eth_chainId", [])).result == "0x7a69"
        assert (await asker.ask_batch("eth_chainId", 10)).good
    assert asker.counter.snapshot() == attrs.evolve(asker.counter.snapshot(), requests=2, calls=11, throttled=0)


async def test_a_throttle_is_waited_for_and_asked_once_more(asked: Open) -> None:
    once = Failure(Kind.HTTP, status=429, retry_after_s=0.01, times=1)
    async with asked(Faults(failures=(once,))) as asker:
        assert (await asker.ask("eth_chainId", [])).good
    assert (asker.counter.requests, asker.counter.throttled) == (2, 1)


async def test_a_throttle_that_lasts_is_left_alone(asked: Open) -> None:
    for_long = Failure(Kind.HTTP, status=429, retry_after_s=3600)
    async with asked(Faults(failures=(for_long,))) as asker:
        assert (await asker.ask("eth_chainId", [])).told is Told.THROTTLED
    assert asker.counter.requests == 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Kind.HTTP, Told.FAILED),
        (Kind.GARBAGE, Told.FAILED),
        (Kind.RESET, Told.FAILED),
        (Kind.TRUNCATED, Told.FAILED),
        (Kind.HANG, Told.TIMEOUT),
        (Kind.DRIP, Told.TIMEOUT),
        (Kind.RPC, Told.ERROR),
    ],
)
async def test_every_failure_becomes_an_answer(asked: Open, kind: Kind, told: Told) -> None:
    failure = Failure(kind, bytes_per_s=10)
    async with asked(Faults(failures=(failure,)), attrs.evolve(QUICK, timeout_s=0.3)) as asker:
        assert (await asker.ask("eth_chainId", [])).told is told


async def test_a_time_limit_is_for_the_whole_answer(asked: Open) -> None:
    async with asked(Faults(latency=Latency.constant(5_000)), attrs.evolve(QUICK, timeout_s=0.1)) as asker:
        answer = await asker.ask("eth_chainId", [])
    assert (answer.told, answer.text) == (Told.TIMEOUT, "no answer within 0.1 s")


async def test_a_result_beyond_the_bound_is_not_read(asked: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lasso_trio.probe.asker.LARGEST_BODY", 10_000)
    async with asked() as asker:
        assert (await asker.ask("devnet_blob", ["0x100000"])).told is Told.LARGE
        assert (await asker.ask("eth_chainId", [])).good


async def test_calls_are_paced_and_a_batch_pays_for_all_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    starts: list[float] = []

    class Paced(Asker):
        async def _exchange(self, body: bytes, batch: int | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
            starts.append(trio.current_time())
            return await super()._exchange(body, batch)

    async with Asker.open(target("http://127.0.0.1:1"), Manners(calls_per_s=2), Counter()) as plain:
        asker = Paced(plain.target, plain.manners, plain.counter, plain._client)
        begun = trio.current_time()
        await asker.ask("eth_chainId", [])
        await asker.ask_batch("eth_chainId", 10)
        await asker.ask("eth_chainId", [])
    assert [round(at - begun, 3) for at in starts] == [0, 0.5, 5.5]


async def test_headers_of_the_profile_go_along() -> None:
    heard: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        heard.append(bytes(await stream.receive_some(65536)))
        await stream.send_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), serve, 0)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/rpc?key=1"
        who = target(url, headers={"Authorization": Secret("Bearer sesame")})
        async with Asker.open(who, QUICK, Counter()) as asker:
            assert (await asker.ask("eth_chainId", [])).told is Told.FAILED
        nursery.cancel_scope.cancel("asked")
    assert b"authorization: bearer sesame" in heard[0].lower()
    assert heard[0].startswith(b"POST /rpc?key=1 ")


async def test_http2_is_offered_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(asking, "tls_context", lambda: trusting)
    config = Config.from_mapping(
        bind=["127.0.0.1:0"],
        certfile=str(tmp_path / "cert"),
        keyfile=str(tmp_path / "key"),
        alpn_protocols=["h2", "http/1.1"],
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"  # and no lifespan
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'})

    async with trio.open_nursery() as nursery:
        (base,) = await nursery.start(serve, app, config)
        async with Asker.open(target(base), QUICK, Counter()) as asker:
            answer = await asker.ask("eth_chainId", [])
        nursery.cancel_scope.cancel("asked")
    assert (answer.result, answer.http_version) == ("0x1", "HTTP/2")

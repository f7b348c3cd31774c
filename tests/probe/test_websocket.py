from __future__ import annotations

import ssl
from functools import partial

import attrs
import pytest
import trio
import trustme

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Devnet, Failure, Faults, Kind, Provider
from lasso_trio.probe import websocket
from lasso_trio.probe.asker import Counter
from lasso_trio.probe.finding import WebSocket
from lasso_trio.probe.target import Target
from tests.probe.conftest import QUICK, chain


async def check(faults: Faults, block_time: float | None = 0.05, **manners: float) -> tuple[WebSocket, Counter]:
    counter = Counter()
    async with Devnet.open({"one": faults}, chain=chain(block_time)) as net:
        target = Target("one", ws_url=SecretUrl(net.ws_url("one")))
        return await websocket.check(target, attrs.evolve(QUICK, **manners), counter), counter


async def test_a_socket_that_tells_of_new_heads_is_all_that_is_wanted() -> None:
    found, counter = await check(Faults())
    assert (found.connected, found.chain_id, found.subscribed, found.problem) == (True, 31337, True, "")
    assert found.first_head_s is not None
    assert (counter.requests, counter.calls) == (3, 2)


async def test_the_wait_for_a_head_is_bounded() -> None:
    found, _ = await check(Faults(ws_mute=True), head_wait_s=0.1)
    assert found.subscribed
    assert found.first_head_s is None
    assert found.problem == "no new head within 0.1 s"


async def test_a_refused_upgrade_is_told_with_its_status() -> None:
    found, _ = await check(Faults(ws_refuse_status=403))
    assert found == WebSocket(problem="refused: HTTP 403")


async def test_a_socket_without_subscriptions_still_says_which_chain_it_serves() -> None:
    found, _ = await check(Faults(missing_methods=("eth_subscribe",)))
    assert (found.connected, found.chain_id, found.subscribed) == (True, 31337, False)
    assert "-32601" in found.problem


@pytest.mark.parametrize(
    ("kind", "problem"), [(Kind.HANG, "no answer in time"), (Kind.RESET, "closed by the endpoint")]
)
async def test_a_socket_that_does_not_answer_is_given_up(kind: Kind, problem: str) -> None:
    found, _ = await check(Faults(failures=(Failure(kind),)), timeout_s=1.0)
    assert found == WebSocket(connected=True, problem=problem)


async def test_nonsense_is_not_an_answer() -> None:
    found, _ = await check(Faults(failures=(Failure(Kind.GARBAGE),)), timeout_s=1.0)
    assert found.problem == "no answer in time"


async def test_nobody_there_and_no_websocket_there_are_problems_too() -> None:
    target = Target("one", ws_url=SecretUrl("ws://127.0.0.1:1/sekret-sekret"))
    found = await websocket.check(target, QUICK, Counter())
    assert not found.connected
    assert found.problem
    assert "sekret" not in found.problem


async def test_an_endpoint_that_never_finishes_the_handshake_is_given_up() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    found = await websocket.check(Target("one", ws_url=SecretUrl(url)), attrs.evolve(QUICK, timeout_s=0.1), Counter())
    assert found == WebSocket(problem="no answer in time")
    await listeners[0].aclose()


async def test_a_socket_over_tls_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    provider = Provider.make("one", chain(0.05))
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, host="127.0.0.1", https_compatible=True)
        listeners = await nursery.start(serve, provider.handle, 0, serving)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        target = Target("one", ws_url=SecretUrl(f"wss://127.0.0.1:{port}/?key=1"))
        untrusted = await websocket.check(target, QUICK, Counter())
        monkeypatch.setattr(websocket, "tls_context", lambda: trusting)
        trusted = await websocket.check(target, QUICK, Counter())
        nursery.cancel_scope.cancel("checked")
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted.problem
    assert (trusted.subscribed, trusted.problem) == (True, "")

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import trio
import trio.testing

from lasso_trio.devnet import Chain, Failure, Faults, Kind, Latency, Provider
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.provider import MOST_METHODS

Connect = Callable[[Provider], Json]


def provider(faults: Faults = Faults(), **chain: Json) -> Provider:  # noqa: B008
    return Provider.make("it", Chain(start_height=100, **chain), faults, seed=1)


def failing(kind: Kind, **details: Json) -> Provider:
    return provider(Faults(failures=[Failure(kind, **details)]))


async def test_a_call_is_answered_and_counted(autojump_clock: trio.testing.MockClock, connect: Connect) -> None:
    it = provider()
    client = connect(it)
    assert await client.ask("eth_blockNumber") == {"jsonrpc": "2.0", "id": 1, "result": "0x64"}
    await client.ask("eth_getBalance", "0x12")
    assert it.calls == {"eth_blockNumber": 1, "eth_getBalance": 1}
    assert (it.requests, it.open_connections, it.open_websockets) == (2, 1, 0)
    assert [(seen.method, seen.params, seen.transport, seen.failure) for seen in it.recent] == [
        ("eth_blockNumber", [], "http", None),
        ("eth_getBalance", ["0x12"], "http", None),
    ]
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert it.open_connections == 0
    assert not it.crashes


async def test_a_batch_is_one_request_of_several_calls(connect: Connect) -> None:
    it = provider()
    status, _, body = await connect(it).post(b'[{"id":1,"method":"eth_chainId"},{"id":2,"method":"eth_chainId"}]')
    assert (status, [answer["id"] for answer in json.loads(body)]) == (200, [1, 2])
    assert (it.requests, it.calls["eth_chainId"]) == (1, 2)


async def test_latency_delays_the_answer(autojump_clock: trio.testing.MockClock, connect: Connect) -> None:
    client = connect(provider(Faults(latency=Latency.constant(30_000))))
    started = trio.current_time()
    await client.ask("eth_chainId")
    assert trio.current_time() - started == pytest.approx(30)


async def test_the_head_follows_the_clock_and_lag_follows_the_head(
    autojump_clock: trio.testing.MockClock, connect: Connect
) -> None:
    it = provider(Faults(lag=6))
    client = connect(it)
    assert (await client.ask("eth_blockNumber"))["result"] == hex(94)
    await trio.sleep(20)
    assert (await client.ask("eth_blockNumber"))["result"] == hex(104)
    assert (await client.ask("eth_getBlockByNumber", hex(105), False))["result"] is None


async def test_a_frozen_head_stays_also_through_reorgs_until_it_thaws(
    autojump_clock: trio.testing.MockClock, connect: Connect
) -> None:
    it = provider()
    client = connect(it)
    before = (await client.ask("eth_getBlockByNumber", "latest", False))["result"]
    it.set_faults(Faults(frozen=True))
    await trio.sleep(20)
    it.chain.reorg(15, trio.current_time())
    assert (await client.ask("eth_getBlockByNumber", "latest", False))["result"] == before
    it.set_faults(Faults())
    assert (await client.ask("eth_blockNumber"))["result"] == hex(110)
    assert (await client.ask("eth_getBlockByHash", before["hash"], False))["result"] is None


async def test_a_wrong_chain_pruned_state_narrow_ranges_and_missing_methods(connect: Connect) -> None:
    faults = Faults(chain_id=5, state_depth=10, log_range=10, missing_methods=["eth_gasPrice"])
    client = connect(provider(faults))
    assert (await client.ask("eth_chainId"))["result"] == "0x5"
    assert (await client.ask("net_version"))["result"] == "5"
    assert "missing trie node" in (await client.ask("eth_getBalance", "0x" + "11" * 20, "0x1"))["error"]["message"]
    assert "max block range" in (await client.ask("eth_getLogs", {"fromBlock": "0x1"}))["error"]["message"]
    assert (await client.ask("eth_gasPrice"))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("failure", "status", "headers", "body"),
    [
        (Failure("http"), 500, {"content-type": "text/plain"}, b"Internal Server Error"),
        (Failure("http", status=429, retry_after_s=2.5), 429, {"retry-after": "2.5"}, b"Too Many Requests"),
        (Failure("http", status=502), 502, {"content-type": "text/html"}, b"<html><head><title>502 Bad Gateway"),
        (Failure("http", status=403, body="no"), 403, {}, b"no"),
        (Failure("garbage"), 200, {}, b'{"jsonrpc":"2.0","id":1,"resu\x00\xff'),
        (Failure("rpc", code=-32005, message="slow down"), 200, {}, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005'),
        (Failure("wrong_id"), 200, {}, b'{"jsonrpc":"2.0","id":987654321,"result"'),
    ],
)
async def test_failures_that_are_whole_answers(
    failure: Failure, status: int, headers: dict[str, str], body: bytes, connect: Connect
) -> None:
    it = provider(Faults(failures=[failure]))
    client = connect(it)
    for _ in range(2):  # the connection is kept
        got = await client.post(b'{"id":1,"method":"eth_blockNumber"}')
        assert got[0] == status
        assert headers.items() <= got[1].items()
        assert got[2].startswith(body)
    assert [seen.failure for seen in it.recent] == [failure.kind] * 2


@pytest.mark.parametrize(("kind", "pieces"), [(Kind.RESET, 0), (Kind.TRUNCATED, 1)])
async def test_failures_that_end_the_connection(kind: Kind, pieces: int, connect: Connect) -> None:
    stream = connect(failing(kind)).stream
    await stream.send_all(b'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 31\r\n\r\n{"id":1,"method":"eth_chainId"}')
    got = b"".join([part async for part in stream])
    assert got.count(b"HTTP/1.1 200 OK") == pieces
    assert not got.endswith(b"}")


async def test_a_hang_answers_nothing_and_ends_with_the_client(
    autojump_clock: trio.testing.MockClock, connect: Connect
) -> None:
    it = failing(Kind.HANG)
    client = connect(it)
    with trio.move_on_after(3600) as patience:
        await client.ask("eth_chainId")
    assert patience.cancelled_caught
    assert it.open_connections == 1
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert it.open_connections == 0


async def test_the_throttle_answers_429_and_lets_through_again(
    autojump_clock: trio.testing.MockClock, connect: Connect
) -> None:
    client = connect(provider(Faults(rps=2)))
    answers = [await client.post(b'{"id":1,"method":"eth_chainId"}') for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[-1][1]["retry-after"] == "1"
    await trio.sleep(1)
    assert (await client.post(b'{"id":1,"method":"eth_chainId"}'))[0] == 200


async def test_only_post_is_answered(connect: Connect) -> None:
    client = connect(provider())
    await client.stream.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 405 ")


async def test_what_it_remembers_is_bounded(connect: Connect) -> None:
    it = provider()
    client = connect(it)
    calls = [{"id": 1, "method": f"m{i}", "params": ["x" * 10]} for i in range(MOST_METHODS + 50)]
    await client.post(json.dumps(calls).encode())
    assert len(it.calls) == MOST_METHODS + 1
    assert it.calls["(others)"] == 50
    assert len(it.recent) == 256
    assert it.recent[-1].params is None


async def test_dropping_connections_ends_them_without_an_answer(
    autojump_clock: trio.testing.MockClock, connect: Connect
) -> None:
    it = provider(Faults(latency=Latency.constant(5000)))
    stream = connect(it).stream
    await stream.send_all(b'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 31\r\n\r\n{"id":1,"method":"eth_chainId"}')
    await trio.testing.wait_all_tasks_blocked()
    it.drop_connections()
    assert await stream.receive_some() == b""
    await trio.testing.wait_all_tasks_blocked()
    assert it.open_connections == 0


async def test_a_mistake_of_our_own_is_contained_in_its_connection(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = provider()
    monkeypatch.setattr("lasso_trio.devnet.envelope.decode", lambda body: 1 / 0)
    stream = connect(it).stream
    await stream.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
    assert await stream.receive_some() == b""
    await trio.testing.wait_all_tasks_blocked()
    assert "ZeroDivisionError" in it.crashes[0]


async def test_a_change_that_came_before_the_wait_is_not_missed(autojump_clock: trio.testing.MockClock) -> None:
    it = provider(block_time=None)
    seen = it.site().view
    it.chain.advance(1)
    with trio.fail_after(3600):
        await it.next_view(seen)

"""Two real worker processes: to its clients, the node is one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import CHAIN, Lasso

RPS, BURST, CLIENTS, EACH, WARM_S, SECONDS = 60, 10, 48, 4, 2.0, 6.0
TRIES = 6
CALL = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}


@pytest.mark.timeout(300)
async def test_a_clients_limit_holds_for_the_node_within_a_tenth(tmp_path: Path) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 100)) as net:
        options = {"rps": RPS, "burst": BURST, "env": {"LASSO_WORKERS": "2", "LASSO_LOG_SAMPLE_RATE": "0"}}
        running = proxies.running(tmp_path / "lasso", {"steady": net.url("steady")}, **options)  # type: ignore[arg-type]
        lasso = await trio.to_thread.run_sync(running.__enter__)
        try:
            await limited(lasso)
        finally:
            with trio.CancelScope(deadline=trio.current_time() + 20, shield=True):
                await trio.to_thread.run_sync(running.__exit__, None, None, None)


async def limited(lasso: Lasso) -> None:
    """Too much is wrong at once. Too little, and too few questions, are tried again: where a busy machine lets a worker
    wait for a fifth of a second, its part of the bucket is full, and what comes back meanwhile is lost.
    """
    for tries in range(TRIES, 0, -1):
        passed, asked, took = await given(lasso)
        assert passed <= RPS * took * 1.1 + BURST
        if passed >= RPS * took * 0.9 - BURST and asked > RPS * took:
            return
        assert tries > 1, f"{passed} of {asked} in {took:.1f} s"


async def given(lasso: Lasso) -> tuple[int, int, float]:
    """Calls let through and asked while many connections ask more than the limit; how long that was."""
    passed = asked = 0
    ended = False

    async def ask(n: int) -> None:
        nonlocal passed, asked
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:  # a connection of its own
            await trio.sleep(n / CLIENTS / EACH)
            while not ended:
                answer = await client.post(f"http://127.0.0.1:{lasso.port}/rpc/{CHAIN}", json=CALL)
                assert answer.status_code in (200, 429)
                asked, passed = asked + 1, passed + (answer.status_code == 200)
                await trio.sleep(1 / EACH)

    async with trio.open_nursery() as nursery:
        for n in range(CLIENTS):
            nursery.start_soon(ask, n)
        await trio.sleep(WARM_S)
        before, began = (passed, asked), trio.current_time()
        await trio.sleep(SECONDS)
        told = passed - before[0], asked - before[1], trio.current_time() - began
        ended = True
    return told

"""Debian's slowhttptest in its four modes against a real node, and what others notice of it.

    -H  heads that never end (slowloris)      -B  bodies that come byte by byte
    -R  absurd ranges of a page               -X  answers that are hardly read

Latencies are printed and not judged: a machine with neighbours says nothing about a factor of two.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest
import trio

from tests.e2e import devnet, toolbox
from tests.e2e.bystanders import CLIENTS, Bystanders, metric
from tests.e2e.conftest import Serve

CONNECTIONS: Final = 400
SECONDS: Final = 6
RPC, PAGE = "/rpc/fastest/anvil", "/api/chains"
ACCEPTED: Final = "lasso_door_connections_accepted_total"
MODES: Final = {
    "slowloris, calls": ("-H", "-t", "POST", "-i", "1", RPC),
    "slowloris, pages": ("-H", "-i", "1", PAGE),
    "slow bodies": ("-B", "-i", "1", "-s", "8192", "-f", "application/json", RPC),
    "ranges": ("-R", "-t", "GET", PAGE),
    "slow reading": ("-X", "-w", "8", "-y", "32", "-n", "1", "-z", "8", "-k", "10", "/metrics"),
}


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, str]]:
    with devnet.running(1_000, {"one": 1_000, "two": 1_000}) as urls:
        yield urls


def slowhttptest(port: int, options: tuple[str, ...]) -> str:
    """What it says of its run."""
    *flags, path = options
    load = ("-c", str(CONNECTIONS), "-r", "200", "-l", str(SECONDS), "-p", "3", "-v", "2")
    command = [toolbox.slowhttptest(), *flags, *load, "-u", f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 30, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_slow_clients_are_not_noticed_by_others(
    providers: dict[str, str], serve: Serve, mode: str, say: Callable[[str], None]
) -> None:
    lasso = serve(providers)

    async def trial() -> tuple[Bystanders, Bystanders]:
        before, during = Bystanders(lasso.port, RPC), Bystanders(lasso.port, RPC)
        await before.call_each(90)
        run = partial(slowhttptest, lasso.port, MODES[mode])

        async def misdeed() -> None:
            said.append(await trio.to_thread.run_sync(run))

        await during.call_during(misdeed)
        return before, during

    said: list[str] = []
    before, during = trio.run(trial)
    connected = metric(lasso.port, ACCEPTED) - 2 * CLIENTS
    say(
        f"{mode}: p99 {before.p99_ms():.1f} ms before, {during.p99_ms():.1f} ms during {connected} connections "
        f"({len(during.seconds_each)} calls), {lasso.resident_mib():.0f} MiB"
    )
    assert before.wrong == during.wrong == []
    assert len(during.seconds_each) > 100
    assert connected > CONNECTIONS / 2, said[0][-2_000:]

"""How soon every worker knows what one has met with: `python -m tests.bench.spread [rounds] [callers]`.

A real node of two workers over simulated providers, used in the order of their priority. In each round the one in use
fails one method. A client of one worker calls that method; a client of the other worker calls another one, call after
call, and its worker can know of the failures from the first worker alone: when it does, the next provider answers.

A delay is counted from when the call was *sent* whose failure was the last that the provider was asked for, until the
other client *has* an answer of the next provider: with a call's time at both ends, so it is an upper bound. Of breakers
both workers' logs tell as well, to the millisecond: when the one opened it, and when the other took that over.
`callers` keep both workers busy meanwhile, with another provider. Clients and providers are one process.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Final

import attrs
import trio

from lasso_trio.devnet import Chain, Devnet, Failure, Faults, Kind
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller
from tests.e2e.lasso import Lasso

WORKERS: Final = 2
FAILING, OTHER = "eth_getCode", "eth_getBalance"
PATH: Final = "/rpc/priority/anvil?include_meta=body"
PAUSE_S: Final = 0.3
TURNS: Final = {
    # A refused key: then the other client's successes that are under way do not end the open time again.
    "a breaker opens": Failure(Kind.HTTP, status=401, methods=(FAILING,)),
    "a cooldown begins": Failure(Kind.HTTP, status=429, retry_after_s=600, methods=(FAILING,)),
}
GONE: Final = Faults(failures=(Failure(Kind.HTTP, status=500),))
"""A provider after its round: it must not come back in a later one."""
OPENED: Final = re.compile(rb'"event":"breaker\.(?:quarantined|told)".*"before":"closed"')
_numbers: Final = count(1)


@attrs.frozen
class Answer:
    """`provider`: who gave it. `retries`: how many failed before."""

    provider: str
    retries: int


Ask = Callable[[str], Awaitable[Answer]]


@attrs.frozen(eq=False)
class Client:
    """A connection, so all its calls come to one worker."""

    caller: Caller

    async def ask(self, method: str, headers: bytes = b"") -> Answer:
        body = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":["0x%040x","latest"]}' % (
            method.encode(),
            next(_numbers),
        )
        told = json.loads((await self.caller.call(body, headers)).body)
        meta = told["lasso_meta"]
        return Answer(meta["selected_provider"]["id"], meta.get("retries", 0))


async def tell(ask: Ask, failing: str, clock: Callable[[], float] = perf_counter) -> float:
    """Call until `failing` is not asked any more; when the last call that asked it was sent."""
    last = clock()
    while True:
        sent = clock()
        answer = await ask(FAILING)
        if answer.provider != failing and not answer.retries:
            return last
        last = sent


async def hear(ask: Ask, failing: str, clock: Callable[[], float] = perf_counter) -> float:
    """Call until another one than `failing` answers; when it has."""
    while (await ask(OTHER)).provider == failing:
        pass
    return clock()


async def in_use(clients: Sequence[Client]) -> str:
    """The provider that answers all of them; waits until it is one."""
    while True:
        providers = {(await client.ask(OTHER)).provider for client in clients}
        if len(providers) == 1:
            return providers.pop()


async def delay_ms(teller: Client, listener: Client, failing: str) -> float:
    """From the one's worker to the other's."""
    heard_at = 0.0

    async def listen() -> None:
        nonlocal heard_at
        heard_at = await hear(listener.ask, failing)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        told_at = await tell(teller.ask, failing)
    return (heard_at - told_at) * 1e3


async def measure(failure: Failure, rounds: int, callers: int) -> tuple[list[float], list[float]]:
    """Delays in ms, by the clients and by the log. The workers take turns in telling."""
    names = [f"p{n:02}" for n in range(rounds + 1)]
    delays = []
    chain = Chain(CHAIN_ID, None, 100)  # it stands still, so that nobody lags
    async with Devnet.open({name: Faults() for name in names}, chain=chain) as net, node(net, names) as lasso:
        clients = await one_at_each(lasso)
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(keep_busy, Client(await Caller.connect(lasso.port, PATH)), names[-1])
            for number in range(rounds):
                await trio.sleep(PAUSE_S)
                failing = await in_use(clients)
                teller, listener = clients if number % 2 else clients[::-1]
                net.set_faults(failing, Faults(failures=(failure,)))
                delays.append(await delay_ms(teller, listener, failing))
                net.set_faults(failing, GONE)
            nursery.cancel_scope.cancel()
        logged = by_log(lasso.log.splitlines())
    return delays, logged


@asynccontextmanager
async def node(net: Devnet, names: Sequence[str]) -> AsyncIterator[Lasso]:
    with tempfile.TemporaryDirectory() as folder:
        env = {"LASSO_WORKERS": str(WORKERS), "LASSO_LOG_LEVEL": "debug"}
        running = proxies.running(Path(folder) / "lasso", {name: net.url(name) for name in names}, env=env)
        lasso = await trio.to_thread.run_sync(running.__enter__)
        try:
            yield lasso
        finally:
            with trio.CancelScope(shield=True):  # bounded by the patience of `stop`
                await trio.to_thread.run_sync(running.__exit__, None, None, None)


async def one_at_each(lasso: Lasso) -> list[Client]:
    """A client of each worker. The log tells where a call came to."""
    found: dict[int, Client] = {}
    with trio.fail_after(30):
        for number in count():
            client, name = Client(await Caller.connect(lasso.port, PATH)), f"spread-{number}"
            await client.ask(OTHER, f"x-request-id: {name}\r\n".encode())
            found.setdefault(await came_to(lasso, name), client)
            if len(found) == WORKERS:
                break
    return list(found.values())


async def came_to(lasso: Lasso, request_id: str) -> int:
    while True:
        for record in lasso.completed():
            if record["request_id"] == request_id:
                worker: int = record["worker"]
                return worker
        await trio.sleep(0.02)


async def keep_busy(client: Client, provider: str) -> None:
    """By calls to one that is in no round: a success between two failures would keep a breaker closed."""
    while True:
        await client.ask(OTHER, f"x-lasso-provider: {provider}\r\n".encode())


def by_log(lines: Iterable[bytes]) -> list[float]:
    """From each provider's first opening in one worker to its first in the other, in ms."""
    opened: dict[str, datetime] = {}
    heard: dict[str, datetime] = {}
    for line in lines:
        if OPENED.search(line):
            record = json.loads(line)
            first = heard if record["event"] == "breaker.told" else opened
            first.setdefault(record["instance"], datetime.fromisoformat(record["timestamp"]))
    return [(heard[each] - opened[each]).total_seconds() * 1e3 for each in opened if each in heard]


def row(label: str, delays: Sequence[float]) -> str:
    ordered = sorted(delays)
    within = ordered[round(0.9 * (len(ordered) - 1))]
    figures = (ordered[0], statistics.median(ordered), within, ordered[-1])
    return f"| {label} | {len(ordered)} | " + " | ".join(f"{each:.1f}" for each in figures) + " |"


def main(rounds: int = 30, callers: int = 0) -> None:
    print(f"{WORKERS} workers, {callers} callers beside; delays in ms (mark: 100)\n")
    print("| | rounds | least | median | nine in ten within | most |\n|---|--:|--:|--:|--:|--:|")
    for label, failure in TURNS.items():
        seen, logged = trio.run(measure, failure, rounds, callers)
        print(row(f"{label}: the other worker's client sees it", seen))
        if logged:
            print(row(f"{label}: the other worker takes it over", logged))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))

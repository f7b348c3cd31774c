"""Real clients of three libraries subscribe to heads and logs while the nodes die, stall and come back.

What each client saw, folded, must be what the nodes say the chain is: every head and every log, in order, once.
E2E_STREAM_S is how long that goes on, in seconds; E2E_STREAM_SEED draws other misfortunes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.e2e import subscribers as clients
from tests.e2e import turmoil
from tests.e2e.conftest import Lived, Serve
from tests.e2e.fold import Log, Wrong, folded_heads, folded_logs
from tests.e2e.lasso import Lasso
from tests.e2e.subscribers import Seen, Subscribers
from tests.e2e.turmoil import Turmoil

STREAM_S: Final = float(os.environ.get("E2E_STREAM_S", "45"))
REORGANISED_S: Final = STREAM_S / 2
SEED: Final = int(os.environ.get("E2E_STREAM_SEED", "1"))
LAST_S: Final = 60.0
"""For the last head and the last log to come to everybody."""
LIBRARIES: Final = ("web3.py", "viem", "ethers")
EACH: Final = 5

Say = Callable[[str], None]


@contextmanager
def subscribed(lasso: Lasso, lived: Lived, folder: Path) -> Iterator[list[Subscribers]]:
    with ExitStack() as stack:
        address = lived.history.till
        yield [
            stack.enter_context(clients.running(library, lasso.ws_url, address, EACH, folder)) for library in LIBRARIES
        ]


def through(trouble: Turmoil, seconds: float, serve: Serve, folder: Path) -> list[Subscribers]:
    """What everybody saw of a run; checked against what the nodes say."""
    node = trouble.fleet.first
    lasso = serve(trouble.fleet.urls, websockets=True, chain={"block_time_ms": 1_000})
    (before,) = turmoil.heads(node, int(node.call("eth_blockNumber"), 16))
    with subscribed(lasso, trouble.lived, folder) as everybody:
        trouble.run(seconds)
        trouble.settle()
        heads = turmoil.heads(node, before.number + 1)
        logs = turmoil.logs(node, trouble.lived.history.till, before.number + 1)
        for each in everybody:
            each.wait(lambda seen: heads[-1].hash in seen.head_at, LAST_S, "the last head")
            each.wait(lambda seen: any(event.log == logs[-1] for event in seen.logs), LAST_S, "the last log")
            each.wait(is_told_twice, LAST_S, "what ethers tells a second time")
            each.check()
    assert b"stream.gap" not in lasso.log
    for each in everybody:
        for client, seen in enumerate(each.seen):
            with saying_who(f"{each.library} {client}"):
                assert folded_heads(seen.heads, before) == heads
                assert folded_logs(seen.logs) == logs
                assert seen.numbers in ([], [head.number for head in seen.heads])
                assert seen.events in ([], added(seen))
    return everybody


def added(seen: Seen) -> list[Log]:
    return [event.log for event in seen.logs if not event.removed]


def is_told_twice(seen: Seen) -> bool:
    """Whether it has as many numbers as heads and as many events as logs, where its library tells them as well."""
    numbers, events = len(seen.numbers) or inf, len(seen.events) or inf
    return numbers >= len(seen.heads) and events >= len(added(seen))


@contextmanager
def saying_who(client: str) -> Iterator[None]:
    try:
        yield
    except Wrong as wrong:
        raise Wrong(f"{client}: {wrong}") from None
    except AssertionError as wrong:
        wrong.add_note(client)
        raise


def report(trouble: Turmoil, everybody: list[Subscribers]) -> str:
    seen: list[Seen] = [seen for each in everybody for seen in each.seen]
    done = ", ".join(f"{times} × {what}" for what, times in sorted(trouble.done.items()))
    heads = late(trouble, "heads", [each.head_at for each in seen])
    return f"{done}; {len(seen)} clients; {heads}; {late(trouble, 'logs', [each.log_at for each in seen])}"


def late(trouble: Turmoil, what: str, at: list[dict[str, float]]) -> str:
    """How long after its block was mined everything came."""
    took = sorted(1e3 * (each - trouble.mined_at[block]) for blocks in at for block, each in blocks.items())
    slow = sum(each > 100 for each in took)
    numbers = f"median {took[len(took) // 2]:.0f}, most {took[-1]:.0f} ms, {slow} over 100 ms"
    return f"{what} of {len(took)} blocks: {numbers}"


@pytest.mark.timeout(STREAM_S + 300)
def test_nodes_die_and_stall_and_every_client_sees_every_head_and_log_once(
    fresh: Lived, serve: Serve, tmp_path: Path, say: Say
) -> None:
    trouble = Turmoil(fresh, Random(SEED))
    everybody = through(trouble, STREAM_S, serve, tmp_path)
    assert all(not event.removed for each in everybody for seen in each.seen for event in seen.logs)
    say(f"{STREAM_S:.0f} s: " + report(trouble, everybody))


@pytest.mark.timeout(REORGANISED_S + 300)
def test_reorganised_blocks_are_replaced_and_their_logs_removed_for_every_client(
    fresh: Lived, serve: Serve, tmp_path: Path, say: Say
) -> None:
    trouble = Turmoil(fresh, Random(SEED), reorganise_every=5)
    everybody = through(trouble, REORGANISED_S, serve, tmp_path)
    assert all(any(event.removed for event in seen.logs) for each in everybody for seen in each.seen)
    say(f"{REORGANISED_S:.0f} s: " + report(trouble, everybody))

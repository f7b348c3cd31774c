"""What a cluster of a hundred nodes costs one of them: `python -m tests.bench.cluster [nodes providers methods]`.

Every node's snapshot is as large as it can be: each provider has been asked each method, with latencies all over the
histogram. CPU is this process' own; a period is the time in which every other node is asked, and asks, once.
HTTP is measured apart: exchanges over loopback in which this process is both nodes, as each node is both to each other.
"""

from __future__ import annotations

import resource
import sys
import time
from random import Random
from secrets import token_bytes
from typing import NoReturn

import attrs
import msgspec
import trio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Origin, Picture
from lasso_trio.cluster.cluster import Cluster, fresh_s, wall_clock
from lasso_trio.cluster.lifecycle import CHECK_S, JITTER
from lasso_trio.cluster.lines import Lines
from lasso_trio.cluster.seal import NONCE_BYTES, Nonces, Seal
from lasso_trio.cluster.share import merged
from lasso_trio.cluster.snapshot import (
    ChainShare,
    MethodShare,
    ProviderShare,
    Snapshot,
    WindowShare,
    encode,
    pack_methods,
)
from lasso_trio.cluster.talk import Body, Identity, answer, check_answer, check_question, question
from lasso_trio.cluster.view import picture, provider
from lasso_trio.config.secret import Secret
from lasso_trio.providers.latency import Window
from lasso_trio.routing.directory import Directory
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.hypercorn_lane import HypercornLane
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import open_listeners
from lasso_trio.server.web import make_app
from lasso_trio.telemetry.loop import settle_memory
from lasso_trio.telemetry.node import Node

CALLS = 200
"""Answers in the window of each provider and method."""
EXCHANGES = 200
"""Over HTTP, after one that is not counted."""
MOST_SHARE, MOST_MIB = 0.01, 64
"""What all this may take of a core while nobody looks, without HTTP, and of memory."""
PERIOD_S = CHECK_S * (1 - JITTER / 2)
"""From one question to the next, on average."""


def large(windows: list[list[Window]]) -> Snapshot:
    """`windows`: of each method of each provider."""
    rows = []
    for number, methods in enumerate(windows):
        copies = [merged([each]) for each in methods]  # as reading live evidence does
        shares = tuple(MethodShare(f"eth_method{n}", CALLS, 1, WindowShare.of(each)) for n, each in enumerate(copies))
        total, name = CALLS * len(methods), f"provider-{number}"
        whole = WindowShare.of(merged(share.window.window() for share in shares))
        row = ProviderShare(name, name, True, total, total, len(methods), 0, 0, whole, pack_methods(shares))
        rows.append(row)
    return Snapshot(1, "0", "ready", 1.0, (ChainShare("public", "ethereum", 1, 10**6, 10, 0, 5.0, tuple(rows)),))


def window(rng: Random) -> Window:
    made = Window()
    middle = rng.uniform(0.02, 0.4)
    for _ in range(CALLS):
        made.latency.add(rng.lognormvariate(0, 0.3) * middle)
    return made


@attrs.define(eq=False)
class Period:
    """In which a node asks all others, and all others ask it. `held`: their last snapshots."""

    seal: Seal
    body: Body
    rng: Random
    telling_s: float = 0.0
    taking_s: float = 0.0
    held: dict[Origin, Snapshot] = attrs.field(factory=dict)
    nonces: Nonces = attrs.field(factory=Nonces)

    def run(self, nodes: int) -> None:
        """The times are the last period's: CPU seconds."""
        self.telling_s = self.taking_s = 0.0
        for number in range(1, nodes):
            self.exchange(Identity("lasso", f"eu-{number}", f"u{number}"))

    def exchange(self, other: Identity) -> None:
        me, nonce = Identity("lasso", "us-0", "u"), self.rng.randbytes(NONCE_BYTES)
        began = time.process_time()
        asker = check_question(self.seal, me, self.nonces, question(self.seal, other, nonce, 1.0), 1.0)
        told = answer(self.seal, me, asker, self.body, 1.0)
        self.telling_s += time.process_time() - began
        began = time.process_time()
        self.held[Origin(other.node_id, "eu")] = check_answer(self.seal, other, nonce, told)[1]
        self.taking_s += time.process_time() - began


async def nobody() -> set[Address]:
    return set()


def nothing() -> Directory:
    raise AssertionError("no page is asked for")


async def no_call(request: HttpRequest, peer: Peer) -> NoReturn:
    raise AssertionError("no call is sent")


async def over_http(told: Snapshot, exchanges: int) -> float:
    """CPU seconds of an exchange, asking and answering together."""

    async def snapshot(sequence: int) -> Snapshot:
        return told

    seal, lines = Seal(Secret("s" * 64)), Lines()
    desk = Cluster(Identity("lasso", "us-0", "u"), "a.name", seal, nobody, lines, snapshot)
    app = make_app(Node("us-0", 0.0), nothing, None, LaneLimits(), ByteBudget(), cluster=desk)
    lane = HypercornLane(app)
    door, (listener,) = FrontDoor(no_call, lane.lane), await open_listeners("127.0.0.1", 0)
    asker, began = Identity("lasso", "eu-1", "u1"), 0.0

    async def exchange() -> None:
        nonce = token_bytes(NONCE_BYTES)
        frame = question(seal, asker, nonce, wall_clock())
        answered = await lines.ask(Address("127.0.0.1", listener.port), frame, trio.current_time() + 30)
        check_answer(seal, asker, nonce, answered)

    async with trio.open_nursery() as nursery:
        await nursery.start(lane.run)
        await nursery.start(door.serve, [listener])
        await exchange()
        began = time.process_time()
        for _ in range(exchanges):
            await exchange()
        took_s = time.process_time() - began
        nursery.cancel_scope.cancel()
    return took_s / exchanges


def resident_mib() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1024 / 1024


def main(nodes: int = 100, providers: int = 50, methods: int = 60) -> None:
    rng, seal = Random(1), Seal(Secret("s" * 64))
    windows = [[window(rng) for _ in range(methods)] for _ in range(providers)]
    settle_memory()  # as a node does after its start
    began = time.process_time()
    own = large(windows)
    body = Body.of(encode(own))
    making_s = time.process_time() - began
    print(f"{nodes} nodes, {providers} providers, {methods} methods: a snapshot is {len(body.packed) / 1024:.0f} KiB, "
          f"made in {1000 * making_s:.1f} ms, provider by provider")  # fmt: skip

    before, period = resident_mib(), Period(seal, body, rng)
    period.run(nodes)
    held_mib = resident_mib() - before
    period.run(nodes)  # which takes the place of the first one's
    held, telling_s, taking_s = period.held, period.telling_s, period.taking_s
    print(f"a period's exchanges: {1000 * telling_s:.1f} ms to tell, {1000 * taking_s:.1f} ms to take in, "
          f"{held_mib:.1f} MiB held")  # fmt: skip

    began = time.process_time()
    drawn = Picture("public", "ethereum", "provider-0")
    longest = 0.0
    for origin, snapshot in [(Origin("us-0", "us"), own), *held.items()]:
        step = time.process_time()
        drawn.add(origin, snapshot)
        longest = max(longest, time.process_time() - step)
    adding_s = time.process_time() - began
    encoded = msgspec.json.encode(
        [picture(drawn), *(provider(*each) for each in drawn.chains["ethereum"].providers.items())]
    )
    whole_s = time.process_time() - began
    print(f"a picture of one chain: {1000 * adding_s:.1f} ms to add up (the longest step {1000 * longest:.2f} ms), "
          f"{1000 * (whole_s - adding_s):.1f} ms to write {len(encoded) / 1024:.0f} KiB")  # fmt: skip
    idle = (taking_s + telling_s) / PERIOD_S + making_s / fresh_s(making_s)
    print(f"share of a core: {100 * idle:.2f} % while nobody looks, {100 * (idle + whole_s / fresh_s(whole_s)):.2f} % "
          "while somebody does")  # fmt: skip
    whole_exchange_s = trio.run(over_http, own, EXCHANGES)
    print(f"over HTTP: {1000 * whole_exchange_s:.2f} ms to ask one node and to answer it, so "
          f"{100 * (nodes - 1) * whole_exchange_s / PERIOD_S:.2f} % in place of "
          f"{100 * (taking_s + telling_s) / PERIOD_S:.2f} %")  # fmt: skip
    if idle > MOST_SHARE or held_mib > MOST_MIB:
        sys.exit(f"missed: at most {100 * MOST_SHARE:.0f} % of a core and {MOST_MIB} MiB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))

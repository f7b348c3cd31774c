"""What a cluster of a hundred nodes costs one of them: `python -m tests.bench.cluster [nodes providers methods]`.

Every node's snapshot is as large as it can be: each provider has been asked each method, with latencies all over the
histogram. CPU is this process' own; a period is the fifteen seconds in which every other node is asked, and asks, once.
What goes over the wire (HTTP on both sides) is not in it.
"""

from __future__ import annotations

import resource
import sys
import time
from random import Random

import msgspec

from lasso_trio.cluster.aggregate import Origin, Picture
from lasso_trio.cluster.cluster import fresh_s
from lasso_trio.cluster.lifecycle import CHECK_S
from lasso_trio.cluster.seal import Nonces, Seal
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

CALLS = 200
"""Answers in the window of each provider and method."""


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


def resident_mib() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1024 / 1024


def main(nodes: int = 100, providers: int = 50, methods: int = 60) -> None:
    rng, seal = Random(1), Seal(Secret("s" * 64))
    me, nonces = Identity("lasso", "us-0", "u"), Nonces()
    windows = [[window(rng) for _ in range(methods)] for _ in range(providers)]
    began = time.process_time()
    own = large(windows)
    body = Body.of(encode(own))
    making_s = time.process_time() - began
    print(f"{nodes} nodes, {providers} providers, {methods} methods: a snapshot is {len(body.packed) / 1024:.0f} KiB, "
          f"made in {1000 * making_s:.1f} ms, provider by provider")  # fmt: skip

    before, held, taking_s, telling_s = resident_mib(), [], 0.0, 0.0
    for number in range(1, nodes):
        other, nonce = Identity("lasso", f"eu-{number}", f"u{number}"), rng.randbytes(16)
        began = time.process_time()
        asker = check_question(seal, me, nonces, question(seal, other, nonce, 1.0), 1.0)
        told = answer(seal, me, asker, body, 1.0)
        telling_s += time.process_time() - began
        began = time.process_time()
        held.append((Origin(other.node_id, "eu"), check_answer(seal, other, nonce, told)[1]))
        taking_s += time.process_time() - began
    print(f"a period's exchanges: {1000 * telling_s:.1f} ms to tell, {1000 * taking_s:.1f} ms to take in, "
          f"{resident_mib() - before:.1f} MiB held")  # fmt: skip

    began = time.process_time()
    drawn = Picture("public", "ethereum", "provider-0")
    longest = 0.0
    for origin, snapshot in [(Origin("us-0", "us"), own), *held]:
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
    idle = (taking_s + telling_s) / CHECK_S + making_s / fresh_s(making_s)
    print(f"share of a core: {100 * idle:.2f} % while nobody looks, {100 * (idle + whole_s / fresh_s(whole_s)):.2f} % "
          "while somebody does")  # fmt: skip


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))

"""This node's own snapshot is what its counters say."""

from __future__ import annotations

import trio

from lasso_trio import __version__
from lasso_trio.cluster.share import own_snapshot, provider_share
from lasso_trio.cluster.snapshot import decode, encode, methods_of
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.latency import Evidence
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.node import Node, Readiness
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool
from tests.routing.undialled import undialled


def directory(providers: int = 2) -> Directory:
    async def dial() -> Dialled:
        raise AssertionError("nothing is dialled here")

    def pool(endpoint: Endpoint) -> Pool:
        return Pool(endpoint, dial=dial)

    rows = tuple(
        Provider(f"p{n}", f"P{n}", f"1:p{n}:0", SecretUrl(f"http://p{n}/"), priority=n) for n in range(providers)
    )
    return Directory.of(
        ProfileSet.of([Profile("public", "Public", (Chain("ethereum", 1, "Ethereum", rows),))]), Registry(pool)
    )


async def test_every_chain_and_provider_is_in_it_and_it_survives_the_wire(autojump_clock: object) -> None:
    made, now = directory(), trio.current_time()
    (routed,) = made.chains()
    routed.counts.calls, routed.counts.errors = 7, 1
    candidate = routed.candidates[0]
    candidate.tally.attempts, candidate.tally.answered = 5, 4
    evidence = candidate.channel.evidence["eth_call"] = Evidence()
    evidence.record(0.1, now)
    evidence.record_failure(now)
    node = Node("us-1", now, Readiness.READY)
    await trio.sleep(3)
    told = decode(encode(await own_snapshot(node, made, 9)))
    (chain,) = told.chains
    assert (told.sequence, told.version, told.readiness, told.uptime_s) == (9, __version__, "ready", 3.0)
    assert (chain.profile, chain.chain, chain.chain_id, chain.calls, chain.errors) == ("public", "ethereum", 1, 7, 1)
    first, second = chain.providers
    assert (first.provider, first.name, first.attempts, first.answered, first.lag) == ("p0", "P0", 5, 4, None)
    (method,) = methods_of(first)
    assert (method.method, method.answered, method.failures) == ("eth_call", 1, 1)
    assert first.window.window().latency.count == 1
    assert methods_of(second) == ()


async def test_others_run_while_it_is_made() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await own_snapshot(Node("us-1", 0.0), directory(20), 1)
        nursery.cancel_scope.cancel()
    assert turns >= 15


def test_both_transports_of_a_provider_are_one() -> None:
    routed = undialled("a", ws=["a"])
    for number, candidate in enumerate(routed.candidates, start=1):
        candidate.tally.attempts = number
        candidate.channel.evidence["eth_call"] = Evidence()
        candidate.channel.evidence["eth_call"].record(0.1 * number, 0.0)
    share = provider_share(routed, list(routed.candidates), 1.0)
    (method,) = methods_of(share)
    assert (share.attempts, method.answered, share.window.window().latency.count) == (3, 2, 2)

"""The composition root: a node starts, says so, and ends. (What it answers is tested in `tests/surface`.)"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio import app as module
from lasso_trio.app import App
from lasso_trio.config.cluster_terms import ClusterTerms
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.providers.head import ChainCheck
from lasso_trio.telemetry.node import Readiness

NOBODY = Provider("nobody", "Nobody", "1:nobody:0", SecretUrl("http://127.0.0.1:9"))
PROFILES = ProfileSet.of([Profile("public", "Public", (Chain("one", 1, "One", (NOBODY,)),))])


def make(**settings: Any) -> App:  # noqa: ANN401
    return App.make(Settings(**{"port": 0, "grace_s": 1.0, "probes": False, **settings}), PROFILES)


async def ended(app: App) -> None:
    with trio.fail_after(5):
        await app.stopped.wait()


async def test_a_node_is_ready_when_it_listens_and_not_a_moment_longer(nursery: trio.Nursery) -> None:
    app = make()
    assert app.node.readiness is Readiness.STARTING
    await nursery.start(app.run)
    assert app.node.readiness is Readiness.READY
    (address,) = app.addresses
    host, _, port = address.removeprefix("http://").rpartition(":")
    stream = await trio.open_tcp_stream(host, int(port))
    app.stop()
    await ended(app)
    assert app.node.readiness is Readiness.DRAINING
    assert await stream.receive_some() == b""
    await stream.aclose()
    with pytest.raises(OSError, match=r"Connect|connect"):
        await trio.open_tcp_stream(host, int(port))


async def test_a_node_of_a_cluster_asks_for_the_others_and_a_lone_one_does_not(nursery: trio.Nursery) -> None:
    terms = ClusterTerms("lasso.internal", "lasso", dns_server=("127.0.0.1", 9))
    app = make(cluster=terms, secret_key_base=Secret("s" * 64), node_id="us-1")
    await nursery.start(app.run)
    assert "cluster" in {child.name for child in app.supervisor.children}
    assert app.cluster is not None
    assert app.cluster.me.node_id == "us-1"
    app.stop()
    await ended(app)
    assert make().cluster is None
    assert make(cluster=terms).cluster is None  # settings never say so: nothing could be signed


async def test_without_a_listener_everything_else_runs(nursery: trio.Nursery) -> None:
    app = make(listen=False)
    await nursery.start(app.run)
    assert (app.addresses, app.node.readiness) == ([], Readiness.READY)
    assert {child.name for child in app.supervisor.children} >= {"web", "reaper", "housekeeping", "loop_lag"}
    app.stop()
    await ended(app)


async def test_every_instance_has_a_supervised_prober_that_is_done_before_the_door_opens(nursery: trio.Nursery) -> None:
    with capture_logs():
        app = make(probes=True)
        await nursery.start(app.run)
        (prober,) = app.probers
        assert prober.settled.is_set()
        assert "prober 1:nobody:0" in {child.name for child in app.supervisor.children}
        assert app.registry.instances["1:nobody:0"].head.check is ChainCheck.PENDING
        app.stop()
        await ended(app)


async def test_without_probes_everybody_is_believed(nursery: trio.Nursery) -> None:
    app = make(probes=False)
    assert app.probers == []
    assert app.registry.instances["1:nobody:0"].head.check is ChainCheck.TRUSTED


async def test_an_ipv6_address_is_spelt_as_a_url(nursery: trio.Nursery) -> None:
    app = make(host="::1")
    await nursery.start(app.run)
    assert app.addresses[0].startswith("http://[::1]:")
    app.stop()
    await ended(app)


async def test_a_crashed_service_is_counted_and_started_again(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = [trio.Event(), trio.Event()]

    async def housekeeping(_: App) -> None:
        if not lives[0].is_set():
            lives[0].set()
            raise ValueError("a mistake")
        lives[1].set()
        await trio.sleep_forever()

    monkeypatch.setattr(App, "_housekeeping", housekeeping)
    app = make(listen=False)
    app.supervisor.rng = Random(31)  # a short first wait
    with capture_logs(), trio.fail_after(5):
        await nursery.start(app.run)
        await lives[1].wait()
    (child,) = (child for child in app.supervisor.children if child.name == "housekeeping")
    assert (child.restarts, child.last_error, app.supervisor.restarts) == (1, "ValueError: a mistake", 1)
    assert app.node.readiness is Readiness.READY
    app.stop()
    await ended(app)


async def test_stopped_before_it_began_it_ends_at_once(nursery: trio.Nursery) -> None:
    app = make()
    app.stop()
    await nursery.start(app.run)
    await ended(app)


async def test_cancelled_it_leaves_nothing_behind() -> None:
    app = make()
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        nursery.cancel_scope.cancel()
    assert app.stopped.is_set()
    assert app.node.readiness is Readiness.DRAINING
    assert app.supervisor.children == []


async def test_idle_upstream_connections_are_looked_after(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = trio.Event()
    monkeypatch.setattr(module, "HOUSEKEEPING_S", 0.01)
    app = make(listen=False)
    for pool in app.registry.pools():
        monkeypatch.setattr(type(pool), "expire", lambda *_: looked.set())
    await nursery.start(app.run)
    with trio.fail_after(5):
        await looked.wait()
    app.stop()
    await ended(app)


async def test_compression_can_be_switched_off() -> None:
    assert make(gzip_min_bytes=0).door.limits.gzip_min_bytes > 2**60
    assert make(gzip_min_bytes=9).door.limits.gzip_min_bytes == 9

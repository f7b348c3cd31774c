"""A whole node's page: a family that is declared is read somewhere, and no secret is on it."""

from __future__ import annotations

from functools import partial

import trio

from lasso_trio.config.settings import Settings
from lasso_trio.metrics import chains, clients, latencies, node, providers, shared, streams, traces, upstreams, workers
from lasso_trio.metrics.door import read_door
from lasso_trio.metrics.exporter import Exporter
from lasso_trio.metrics.readers import readers_of
from lasso_trio.metrics.registry import BY_NAME
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node
from lasso_trio.telemetry.prometheus import TEXT
from tests.dashboard.clusters import cluster_of
from tests.metrics.scene import KEY, routed_of


def nothing(*_: object) -> None:
    pass


async def other(*_: object) -> None:
    await trio.lowlevel.checkpoint()


def exporter_of(directory: Directory) -> Exporter:
    handler = RpcHandler(directory, Service(), Settings(), nothing)
    hub = Hub(nothing, lambda *_: ())  # type: ignore[arg-type]  # nobody subscribes
    lane = WsLane.of(handler, LaneLimits(), ByteBudget(), hub)
    lag = LoopLag()
    lag.record(0.001, 1.0)
    supervisor = Supervisor()
    door = FrontDoor(handler, other)
    readers = readers_of(lambda: directory, Node("n", 0.0), handler.service, supervisor, lag, hub, lane, cluster_of())
    return Exporter([*readers, partial(read_door, door)])


async def test_every_family_that_is_declared_is_read(directory: Directory) -> None:
    table = await exporter_of(directory).read()
    told = {family.name for family in table.rows}
    sometimes = {  # told where there is something to tell: their own rooms' tests show them
        *(f.name for f in (chains.HEDGES_SUPPRESSED, chains.CACHE, chains.CONSENSUS, chains.TIP, chains.SAFE)),
        *(f.name for f in (chains.FINALIZED, chains.FRESH, providers.HEIGHT, providers.HEAD_AGE, providers.LAG)),
        *(f.name for f in (upstreams.PACE, upstreams.PROBES, upstreams.PROBE_FAILURES, upstreams.SESSIONS)),
        *(f.name for f in (upstreams.CONNECTED, upstreams.SUBSCRIBED, upstreams.REFUSED, upstreams.ARRIVALS)),
        *(f.name for f in (upstreams.OVERFLOWS, node.CHILDREN, *latencies.FAMILIES, *streams.FAMILIES)),
        *(f.name for f in (*shared.FAMILIES, *clients.FAMILIES, *traces.FAMILIES, *workers.FAMILIES)),
    }
    assert told == BY_NAME.keys() - sometimes


async def test_no_key_of_an_upstream_is_on_the_page(directory: Directory) -> None:
    for candidate in routed_of(directory).candidates:
        candidate.channel.succeeded("eth_call", 0.01, 0.0)
        candidate.channel.breaker.quarantine(f"refused {KEY}", 0.0)
    page = (await exporter_of(directory).page(TEXT)).body
    assert b"beta.example" in page
    assert KEY.encode() not in page

from __future__ import annotations

from lasso_trio import __version__
from lasso_trio.metrics import node
from lasso_trio.metrics.door import CRASHES
from lasso_trio.routing.service import Service
from lasso_trio.supervision import Supervised, Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node, Readiness
from lasso_trio.telemetry.prometheus import Table


async def test_the_node_tells_whether_it_is_ready_and_what_it_runs() -> None:
    table, its = Table(), Node("n", 10.0)
    node.read_node(its, table, 25.0)
    assert (table.value(node.READY), table.value(node.UPTIME)) == (0, 15.0)
    its.readiness = Readiness.READY
    node.read_node(its, table, 25.0)
    assert table.value(node.READY) == 1
    ((labels, _), *_) = table.rows[node.BUILD]
    assert labels[0] == __version__
    tasks = table.value(node.TASKS)
    assert isinstance(tasks, int)
    assert tasks >= 1


def test_children_are_told_by_kind_and_never_by_what_clients_asked_for() -> None:
    supervisor, table = Supervisor(), Table()
    for name in ("keeper 1:a", "keeper 1:b", 'stream main eth ["logs",{"address":"0x12"}]'):
        supervisor.children.append(Supervised(name, 0.0, restarts=2))
    supervisor.ended_restarts = 5
    node.read_children(supervisor, table, 0.0)
    assert dict(table.rows[node.CHILDREN]) == {
        ("keeper", "running"): 2,
        ("stream", "running"): 1,
    }
    assert table.value(node.RESTARTS) == 11


def test_lag_is_told_once_somebody_has_measured_it() -> None:
    lag, table = LoopLag(), Table()
    node.read_loop(lag, table, 0.0)
    assert not table.rows
    for _ in range(99):
        lag.record(0.001, 1.0)
    lag.record(0.5, 1.0)
    node.read_loop(lag, table, 0.0)
    assert table.value(node.LAG, "100") == 0.5
    half = table.value(node.LAG, "50")
    assert isinstance(half, float)
    assert 0.0009 < half < 0.0011
    assert table.value(node.LAG_SAMPLES) == 100


async def test_what_all_calls_share() -> None:
    service, table = Service(), Table()
    service.retries.spent, service.retries.refused, service.retries.tokens = 1, 3, 199.0
    service.afterwork.crashes = 2
    node.read_service(service, table, 0.0)
    assert (table.value(node.RETRIES), table.value(node.RETRIES_REFUSED)) == (1, 3)
    assert table.value(node.RETRY_TOKENS) == 199.0
    assert table.value(CRASHES, "afterwork") == 2

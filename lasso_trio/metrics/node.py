"""Tells of the node itself: readiness, version, tasks, the loop's lag, restarts, and what all calls share."""

from __future__ import annotations

import platform
from collections import Counter
from typing import Final

from lasso_trio import __version__
from lasso_trio.metrics.door import CRASHES
from lasso_trio.routing.service import Service
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node, Readiness, task_figures
from lasso_trio.telemetry.prometheus import Table, counter, gauge

BUILD = gauge("lasso_build_info", "version python", "1: the versions that run.", Across.KEEPER)
READY = gauge("lasso_ready", "", "1 while the node is ready, 0 while it starts or drains.", Across.LEAST)
UPTIME = gauge("lasso_uptime_seconds", "", "Seconds since the start.", Across.EACH)
TASKS = gauge("lasso_tasks", "", "Tasks alive.", Across.EACH)
RUNNABLE = gauge("lasso_tasks_runnable", "", "Tasks that are ready to run and have not run yet.", Across.EACH)
RESTARTS = counter("lasso_restarts_total", "", "Supervised children that were started again after a fault.")
CHILDREN = gauge("lasso_children", "kind state", "Supervised children, by the first word of their name and by state.")
LAG = gauge(
    "lasso_loop_lag_seconds", "percentile", "Seconds that tasks woke late, of two minutes; 100: the worst.", Across.EACH
)
LAG_SAMPLES = counter("lasso_loop_lag_samples_total", "", "Times that the loop's lag was measured.", Across.EACH)
RETRIES = counter("lasso_retries_total", "", "Second and later dispatches that the retry budget paid for.")
RETRIES_REFUSED = counter("lasso_retries_refused_total", "", "Dispatches that the retry budget refused.")
RETRY_TOKENS = gauge("lasso_retry_budget_tokens", "", "Dispatches that the retry budget had left at the last retry.")
AFTERWORK = gauge("lasso_afterwork_running", "", "Writes that go on after their call was answered.")

PERCENTILES: Final = (50, 90, 99)
FAMILIES: Final = (BUILD, READY, UPTIME, TASKS, RUNNABLE, RESTARTS, CHILDREN, LAG, LAG_SAMPLES, RETRIES,
                   RETRIES_REFUSED, RETRY_TOKENS, AFTERWORK)  # fmt: skip


def read_node(node: Node, table: Table, now: float) -> tuple[()]:
    living, runnable = task_figures()
    table.add(BUILD, 1, __version__, platform.python_version())
    table.add(READY, int(node.readiness is Readiness.READY))
    table.add(UPTIME, node.uptime_s(now))
    table.add(TASKS, living)
    table.add(RUNNABLE, runnable)
    return ()


def read_children(supervisor: Supervisor, table: Table, now: float) -> tuple[()]:
    """A child's whole name can hold a client's filter, so only its first word is told."""
    table.add(RESTARTS, supervisor.restarts)
    children = Counter((child.name.partition(" ")[0], child.state.value) for child in supervisor.children)
    for (kind, state), times in children.items():
        table.add(CHILDREN, times, kind, state)
    return ()


def read_loop(lag: LoopLag, table: Table, now: float) -> tuple[()]:
    """Nothing while nobody measures."""
    if lag.samples:
        for percentile in PERCENTILES:
            table.add(LAG, lag.quantile(percentile / 100), str(percentile))
        table.add(LAG, lag.max, "100")
        table.add(LAG_SAMPLES, lag.samples)
    return ()


def read_service(service: Service, table: Table, now: float) -> tuple[()]:
    table.add(RETRIES, service.retries.spent)
    table.add(RETRIES_REFUSED, service.retries.refused)
    table.add(RETRY_TOKENS, service.retries.tokens)
    table.add(AFTERWORK, service.afterwork.running)
    table.add(CRASHES, service.afterwork.crashes, "afterwork")
    return ()

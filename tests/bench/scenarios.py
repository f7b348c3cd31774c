"""What is measured: one row per target and workload, and the marks the project set itself.

A row knows which row it is compared with: nginx with the same workload and the same kind of upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from targets import Stage, Target
from wire import BATCH, BIG, CALL, Workload

STRATEGIES = ("fastest", "load-balanced", "latency-weighted", "priority")
RATES: Mapping[str, tuple[int, ...]] = {CALL.name: (200, 1000), BATCH.name: (20, 100), BIG.name: (20,)}
STRAIGHT = "straight to the upstream"


@attrs.frozen
class Row:
    """`label` is unique, `path` comes after the target's base, `beside` and `plain` label the rows to compare with."""

    label: str
    target: str
    path: str
    workload: Workload = CALL
    beside: str = "nginx"
    plain: str = "plain stack"
    quick: bool = True


def rows_with(workload: Workload) -> tuple[Row, ...]:
    """The three that can be compared, with another workload: each is compared with the others' same workload."""
    nginx, plain = f"nginx, {workload.name}", f"plain stack, {workload.name}"
    return (
        Row(plain, "plain stack", "", workload, nginx, plain, quick=False),
        Row(nginx, "nginx", "plain", workload, nginx, plain, quick=False),
        Row(f"lasso, {workload.name}", "lasso", "fastest/bench", workload, nginx, plain),
    )


STARTERS: Mapping[str, Callable[[Stage], Target]] = {
    "echo floor": Stage.echo_floor,
    "plain stack": Stage.plain_stack,
    "nginx": Stage.nginx,
    "lasso": lambda stage: stage.lasso("lasso"),
    "lasso tls": lambda stage: stage.lasso("lasso tls", tls=True),
    "lasso quiet": lambda stage: stage.lasso("lasso quiet", logs=False),
    "lasso 50": lambda stage: stage.lasso("lasso 50", providers=50),
}

ROWS = (
    Row("echo floor", "echo floor", ""),
    Row("plain stack", "plain stack", ""),
    Row("nginx", "nginx", "plain"),
    *(Row(f"lasso, {name}", "lasso", f"{name}/bench", quick=name == "fastest") for name in STRATEGIES),
    Row("lasso, logs off", "lasso quiet", "fastest/bench", quick=False),
    Row("lasso, 50 providers", "lasso 50", "fastest/bench"),
    Row("nginx, TLS upstream", "nginx", "tls", quick=False),
    Row("lasso, TLS upstream", "lasso tls", "fastest/bench", beside="nginx, TLS upstream"),
    *rows_with(BATCH),
    *rows_with(BIG),
)


@attrs.frozen
class Plan:
    """How long everything takes. Seconds per window; `cpu_reps` and `latency_reps` rounds over all rows."""

    rows: tuple[Row, ...]
    cpu_reps: int
    cpu_s: float
    latency_reps: int
    latency_s: float
    latency_rows: frozenset[str]
    warm_s: float = 0.3


def full() -> Plan:
    return Plan(ROWS, 3, 1.5, 3, 1.6, frozenset(row.label for row in ROWS))


def quick() -> Plan:
    rows = tuple(row for row in ROWS if row.quick)
    latency = frozenset({"plain stack", "nginx", "lasso, fastest"})
    return Plan(rows, 3, 0.5, 1, 1.5, latency, warm_s=0.2)


def only(plan: Plan, prefix: str) -> Plan:
    return attrs.evolve(plan, rows=tuple(row for row in plan.rows if row.target.startswith(prefix)))

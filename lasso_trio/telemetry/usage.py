"""What one process of a node uses and holds now: a row of the operators' table of workers. Values only."""

from __future__ import annotations

import msgspec


class StreamFigures(msgspec.Struct, array_like=True, frozen=True):
    """`mark`: equal for the streams of all workers that are about the same."""

    profile: str
    chain: str
    mark: int
    members: int
    filled: int
    gaps: int
    failovers: int


class Usage(msgspec.Struct, frozen=True):
    """`busy_percent` and the lag are the loop's. `in_flight`: attempts by channel, `instance transport`. `clients`:
    counters of its WebSocket clients. What is switched off (`LASSO_VM_METRICS_ENABLED`) is 0.
    """

    pid: int
    uptime_s: float = 0.0
    cpu_percent: float = 0.0
    busy_percent: float = 0.0
    memory_mb: float = 0.0
    lag_ms: float = 0.0
    lag_p99_ms: float = 0.0
    tasks: int = 0
    runnable: int = 0
    connections: int = 0
    requests: int = 0
    viewers: int = 0
    restarts: int = 0
    calls: int = 0
    calls_per_second: float = 0.0
    keeping: bool = False
    in_flight: dict[str, int] = {}
    clients: dict[str, int] = {}
    streams: list[StreamFigures] = []

"""All families there are, room by room: what the documentation, the Grafana dashboard and the alert rules may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lasso_trio.metrics import (
    chains,
    clients,
    cluster,
    door,
    node,
    providers,
    shared,
    streams,
    traces,
    upstreams,
    workers,
)
from lasso_trio.telemetry.prometheus import Family

ROOMS: Final[Mapping[str, tuple[Family, ...]]] = {
    "Calls and chains": chains.FAMILIES,
    "Providers": providers.FAMILIES,
    "Upstreams": upstreams.FAMILIES,
    "Streams": streams.FAMILIES,
    "The door, and clients on WebSockets": door.FAMILIES,
    "Clients with keys": clients.FAMILIES,
    "The node": node.FAMILIES,
    "Workers": workers.FAMILIES,
    "Shared state": shared.FAMILIES,
    "The cluster": cluster.FAMILIES,
    "Traces": traces.FAMILIES,
}
PROCESS: Final = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
"""Of every Prometheus client, Linux only."""
BY_NAME: Final[Mapping[str, Family]] = {family.name: family for room in ROOMS.values() for family in room}

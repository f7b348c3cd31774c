"""Everything that was found out, as frozen values: what the judges look at. Nothing in here is secret.

A field of `Facts` is None until its stage has run; `missing` says why it has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.page import Page
from lasso_trio.check.setup import Setup
from lasso_trio.probe.finding import WebSocket

T = TypeVar("T")


@attrs.frozen
class GitSeen:
    """`works`: git could be asked. `holding`: tracked files that hold the value of SECRET_KEY_BASE.

    `committed`: a commit that did. `whole`: every commit was looked at.
    """

    works: bool = False
    dotenv_tracked: bool = False
    holding: tuple[str, ...] = ()
    committed: str = ""
    whole: bool = False


@attrs.frozen
class ShippedSeen:
    """Files that come with the source, by their path in it; those that are not there are left out."""

    files: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    runbook: str | None = None
    """The text of the runbook, the shipped one or the operator's own."""


@attrs.frozen
class MachineSeen:
    """Where the check runs. Sizes in bytes; 0 is unknown."""

    cpus: int = 0
    memory: int = 0
    disk_free: int = 0


@attrs.frozen
class NodeSeen:
    """`health`: asked several times. `chains` by name, each with the profiles that have it, as the node lists them."""

    health: tuple[Page, ...]
    ready: Page
    chains: Page


@attrs.frozen
class DoorsSeen:
    """What a stranger gets: of the dashboard, of what is behind its login, and of the admin API; on which port."""

    dashboard: Page
    login: Page | None
    inside: Page
    admin: Page
    on_main: Page | None = None
    """The dashboard's address on the main port, where operators have a port of their own."""


@attrs.frozen
class PublicSeen:
    """The public URL from outside: what answers, and what should not."""

    url: str
    health: Page
    metrics: Page
    admin: Page
    exchange: Page
    """A POST to what only nodes of the cluster should reach."""


@attrs.frozen
class SocketSeen:
    url: str
    public: bool
    found: WebSocket


@attrs.frozen
class StrategiesSeen:
    """By strategy what went wrong; empty where it answered."""

    problems: Mapping[str, str]


@attrs.frozen
class MatesSeen:
    """The cluster's name resolved. `problems` by address, empty where the node there answers health and a call."""

    fault: str = ""
    problems: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class RegionsSeen:
    """By URL what went wrong; empty where that region is ready."""

    problems: Mapping[str, str]


@attrs.frozen
class FailoverSeen:
    """`first` answered, was cordoned, and `then` answered. `fault`: why it was not tried, or went wrong.

    `cordoned`: the order was given. `restored`: the node says that it is taken back.
    """

    first: str = ""
    then: tuple[str, ...] = ()
    cordoned: bool = False
    restored: bool = True
    fault: str = ""
    alone: bool = False
    """The chain has one provider: nothing was tried."""


@attrs.frozen
class LoadSeen:
    """Latencies in milliseconds. `limited`: refused by the client limit; not among the errors.

    `cpu_s`, `memory`: the node's own, by its metrics; None when these could not be read.
    """

    sent: int
    errors: int
    limited: int
    seconds: float
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    example: str = ""
    """What one of the errors said."""
    cpu_s: float | None = None
    memory: int | None = None
    concurrency: int = 0
    paced: bool = False
    """Held back to stay within the client limit."""

    @property
    def error_rate(self) -> float:
        return self.errors / self.sent if self.sent else 0.0

    @property
    def per_second(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0


@attrs.frozen
class LimitSeen:
    """Calls at once against `profile`: how many, how many were answered 429, whether that said when to come back."""

    profile: str
    rps: int
    burst: int
    sent: int
    limited: int
    seconds: float = 0.0
    told_when: bool = False
    other: str = ""
    """An answer that was neither."""


@attrs.frozen
class LogSeen:
    """What the log's lines say. `call`: the newest `rpc.request.completed` that has a provider, one of ours first."""

    lines: int = 0
    call: Mapping[str, Any] | None = None
    is_ours: bool = False
    loaded: tuple[str, ...] = ()
    started: bool = False
    errors: int = 0
    error_example: str = ""


@attrs.frozen
class Gap:
    """Why something was not found out, and what would help. `unable`: what was asked for could not be done at all."""

    why: str
    todo: str = ""
    unable: bool = False


@attrs.frozen
class Facts:
    """`url`: the node that was looked at; None when it was none."""

    setup: Setup
    url: str | None = None
    missing: Mapping[str, Gap] = attrs.field(factory=dict)
    git: GitSeen | None = None
    shipped: ShippedSeen | None = None
    machine: MachineSeen | None = None
    node: NodeSeen | None = None
    doors: DoorsSeen | None = None
    public: PublicSeen | None = None
    socket: SocketSeen | None = None
    strategies: StrategiesSeen | None = None
    cluster: Page | None = None
    mates: MatesSeen | None = None
    regions: RegionsSeen | None = None
    failover: FailoverSeen | None = None
    load: LoadSeen | None = None
    metrics: MetricPage | None = None
    limit: LimitSeen | None = None
    log: LogSeen | None = None

    @property
    def health(self) -> dict[str, Any]:
        """The newest answer of `/api/health`; empty without one."""
        return self.node.health[-1].row if self.node is not None and self.node.health else {}

    @property
    def in_cluster(self) -> dict[str, Any]:
        """The node's own words on its cluster, from `/api/health`."""
        found = self.health.get("cluster")
        return found if isinstance(found, dict) else {}


def there(value: T | None) -> T:
    """What the row has said that it needs."""
    assert value is not None, "a row looks at what it does not name among its needs"
    return value

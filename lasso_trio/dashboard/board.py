"""Everything the dashboard knows, in one place: the parts of a running node it reads, and what it remembers itself.

Made once by the composition root. Views are functions on a `Board`; nothing in here is on a call's path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.activity import Activity, Recorder
from lasso_trio.dashboard.collector import Collector
from lasso_trio.dashboard.cpu import Cpu, loop_seconds
from lasso_trio.dashboard.issues import IssueLog
from lasso_trio.providers.prober import unix_time
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service
from lasso_trio.server.whole import Alone, Whole
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node


@attrs.define(eq=False)
class Board:
    """`directory` is the configuration that serves now. `doors`: whose calls are watched, and how their clients speak.

    `clients`: the counters of WebSocket clients, and how many are open; `connections`: how many connections are open,
    and how many have a call in flight. `wall`: Unix seconds. `viewers`: how many look on. `cluster`: None when the
    node stands alone.
    """

    settings: Settings
    node: Node
    directory: Callable[[], Directory]
    service: Service
    supervisor: Supervisor
    lag: LoopLag
    doors: Sequence[tuple[Recorder, str]] = ()
    hub: Hub | None = None
    clients: Callable[[], dict[str, int]] = dict
    connections: Callable[[], tuple[int, int]] = lambda: (0, 0)
    has_admin: bool = False
    cluster: ClusterDesk | None = None
    wall: Callable[[], float] = unix_time
    activity: Activity = attrs.field(factory=Activity)
    issues: IssueLog = attrs.field(factory=IssueLog)
    cpu: Cpu = attrs.field(factory=Cpu)
    loop: Cpu = attrs.field(factory=lambda: Cpu(loop_seconds))
    collector: Collector = attrs.field(factory=Collector)
    whole: Whole = attrs.field(default=attrs.Factory(lambda self: Alone(self.directory), takes_self=True))
    """What is shown: with several workers, the figures of all of them."""
    viewers: Callable[[], int] = int

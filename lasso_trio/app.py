"""The composition root: every part of a running node is made and joined here, and nowhere else.

    root ─ signals
     └─ services ─ reaper · afterwork · housekeeping · web application · WebSocket heartbeat · streams and their slices
         │         · loop-lag sampler · reloading · dashboard                                outlive traffic
         ├─ instances ─ a prober and a keeper each                                           likewise
         └─ traffic ─ the front door: one task per connection                                ends first

Told to stop: readiness goes, the door stops accepting, calls in flight finish within the grace, then what is left is
cut, then the services end. Who tells it is `serving`'s business, or with several workers the parent's.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import structlog
import trio

from lasso_trio import __version__, notify
from lasso_trio.access import exposure
from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.reload import ReloadResult
from lasso_trio.config.settings import Settings
from lasso_trio.instances import InstanceTasks
from lasso_trio.joining import add_up, cluster_of, figures_of, join
from lasso_trio.key_sources import KeySources
from lasso_trio.operators import Operators
from lasso_trio.providers.prober import Prober
from lasso_trio.providers.registry import Registry
from lasso_trio.reloading import FIRST_PROBES_S, Load, Reload, Reloading, from_disk
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service
from lasso_trio.server.address_tally import AddressTally
from lasso_trio.server.admin_api import Admin
from lasso_trio.server.batch import Record
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.hypercorn_lane import HypercornLane
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import Listener, open_listeners
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.rpc_answer import of_refusal
from lasso_trio.server.whole import Alone
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.shared.shared import Shared
from lasso_trio.sharing import makers_of, shared_of, show
from lasso_trio.subscriptions.hub import Hub, make_hub
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.reader import RoutedReader
from lasso_trio.subscriptions.slices import Slices
from lasso_trio.supervision import Supervisor, supervise
from lasso_trio.telemetry.loop import LoopLag, sample
from lasso_trio.telemetry.node import Node, Readiness
from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.reaper import Reaper

if TYPE_CHECKING:  # a node of one process does not have it
    from lasso_trio.workers.bus import Bus
    from lasso_trio.workers.member import Member

log = structlog.get_logger(__name__)

HOUSEKEEPING_S: Final = 5.0
CLOSE_S: Final = 1.0
LAST_WORDS_S: Final = 1.0
"""Before the grace's end: WebSocket clients whose calls are not done by then are closed, and can still be told why."""
WEB_START_S: Final = 5.0
NEVER: Final = sys.maxsize


def untold(*_: object) -> None:
    """A record that keeps nothing, for nodes whose calls are not logged."""


@attrs.define(eq=False)
class App:
    """A node, made but not running. `addresses` is filled when it listens."""

    settings: Settings
    node: Node
    registry: Registry
    reloading: Reloading
    door: FrontDoor
    web: HypercornLane
    websockets: WsLane
    hub: Hub
    slices: Slices
    reaper: Reaper
    alarm: Alarm
    supervisor: Supervisor
    lag: LoopLag
    operators: Operators
    cluster: ClusterDesk | None = None
    shared: Shared | None = None
    bus: Bus | None = None
    """To the other workers of this node; None: it is of one process."""
    member: Member | None = None
    """What is shared with them; None as well."""
    adding: dict[str, Callable[[], Awaitable[object]]] = attrs.field(factory=dict)
    """What runs so that operators are told of all of them."""
    addresses: list[str] = attrs.field(factory=list)
    stopped: trio.Event = attrs.field(factory=trio.Event)
    _stopping: trio.Event = attrs.field(factory=trio.Event)
    _web_started: trio.Event = attrs.field(factory=trio.Event)
    _cut: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @classmethod
    def make(
        cls,
        settings: Settings,
        profiles: ProfileSet,
        record: Record = untold,
        load: Load | None = None,
        bus: Bus | None = None,
        reload: Reload | None = None,
        service: Service | None = None,
    ) -> App:
        """Join the parts. Must be called inside `trio.run`. `record` is told of every finished call.

        `load`: what a reload reads, in a thread; unless given, the files in the settings' `profiles_dir`.
        `bus`: to the other workers of the node; then `reload`, which the admin API orders, is theirs as well.
        `service`: in the place of the usual one.
        """
        reaper, alarm = Reaper(), Alarm()

        def make_pool(endpoint: Endpoint) -> Pool:
            return Pool(
                endpoint,
                reaper=reaper,
                alarm=alarm,
                max_connections=settings.http_pool_size,
                max_response_bytes=settings.max_response_bytes,
            )

        registry = Registry(make_pool)
        shared = shared_of(settings, bus)
        directory = Directory.of(profiles, registry, makers_of(shared))
        supervisor = Supervisor()
        node = Node(settings.node_id, trio.current_time(), restarts=lambda: supervisor.restarts)
        handler = RpcHandler(directory, service or Service(), settings, record)
        if load is None and settings.profiles_dir is not None:
            load = from_disk(settings.profiles_dir)
        tasks = InstanceTasks(supervisor)
        rows = settings.catalogue_file
        reloading = Reloading(handler, registry, tasks, load, probes=settings.probes, catalogue_file=rows)
        token = settings.admin_token
        admin = None if token is None else Admin(token, lambda: handler.directory, reload or reloading.reload)
        limits = LaneLimits(
            max_body_bytes=settings.max_body_bytes,
            max_connections=settings.max_connections,
            max_connections_per_address=settings.max_connections_per_ip,
            gzip_min_bytes=settings.gzip_min_bytes or NEVER,
        )
        budget = ByteBudget(settings.byte_budget, AddressTally(settings.max_body_bytes_per_ip))
        calls_per_address = AddressTally(settings.max_in_flight_per_ip)
        slices = Slices()
        hub = make_hub(partial(RoutedReader, handler.service), supervisor=supervisor, slices=slices)
        reloading.follow = hub.follow
        reloading.swapped = partial(exposure.warn, settings)
        member = None if bus is None else join(bus, reloading, hub)
        reloading.start_tasks(directory)
        websockets = WsLane.of(handler, limits, budget, hub)
        lag = LoopLag()
        figures = None if bus is None else figures_of(bus, lambda: handler.directory)
        cluster = cluster_of(settings, node, (figures or Alone(lambda: handler.directory)).directory, bus)
        operators = Operators.of(
            settings,
            node,
            handler,
            websockets,
            hub,
            lag,
            supervisor,
            admin,
            budget,
            calls_per_address,
            cluster,
            figures,
        )
        show(shared, node, lambda: handler.directory, handler.gates, operators.exporter.readers)
        adding = {} if bus is None or figures is None else add_up(bus, operators, figures)
        web = HypercornLane(operators.app)
        door = FrontDoor(
            handler,
            web.lane,
            limits=limits,
            budget=budget,
            error_answer=of_refusal,
            supervisor=supervisor,
            websockets=websockets.serve,
            trusted=settings.trusted_proxies,
            calls_per_address=calls_per_address,
        )
        operators.watch(door)
        return cls(
            settings,
            node,
            registry,
            reloading,
            door,
            web,
            websockets,
            hub,
            slices,
            reaper,
            alarm,
            supervisor,
            lag,
            operators,
            cluster,
            shared,
            bus,
            member,
            adding,
        )

    @property
    def directory(self) -> Directory:
        """The configuration that serves now."""
        return self.reloading.handler.directory

    @property
    def afterwork(self) -> Afterwork:
        """What goes on for calls that are answered."""
        return self.reloading.handler.service.afterwork

    @property
    def probers(self) -> list[Prober]:
        return [instance.prober for instance in self.registry.instances.values() if instance.prober is not None]

    @property
    def keepers(self) -> list[Keeper]:
        return [instance.keeper for instance in self.registry.instances.values() if instance.keeper is not None]

    async def reload(self, why: str = "asked") -> ReloadResult:
        """Read the profiles again and serve what they say, if they are right. Calls in flight are untouched."""
        return await self.reloading.reload(why)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped. Raises OSError when the address cannot be had."""
        try:
            async with trio.open_nursery() as services:
                self._supervise(services)
                await services.start(self.reloading.tasks.run)
                with trio.move_on_after(WEB_START_S):  # calls are served without it, if it comes to that
                    await self._web_started.wait()
                await self._first_probes()
                await self._traffic(task_status)
                services.cancel_scope.cancel()
        finally:
            self.node.readiness = Readiness.DRAINING
            with trio.CancelScope(deadline=trio.current_time() + CLOSE_S, shield=True):
                await self.registry.aclose()
            self.stopped.set()

    def _supervise(self, services: trio.Nursery) -> None:
        children: dict[str, Callable[[], Awaitable[object]]] = {
            "web": self._web,
            "websockets": self.websockets.run,
            "streams": self.hub.run,
            "slices": self.slices.run,
            "alarm": self.alarm.run,
            "afterwork": self.afterwork.run,
            "reaper": self.reaper.run,
            "housekeeping": self._housekeeping,
            "reloading": self.reloading.run,
            "key sources": KeySources(self.reloading.handler.gates, lambda: self.directory).run,
        }
        if self.operators.dashboard is not None:
            children["dashboard"] = self.operators.dashboard.run
        if self.cluster is not None:
            children["cluster"] = self.cluster.run
        if self.shared is not None:
            children["shared"] = self.shared.run
        if self.operators.own is not None:
            children["ops web"] = self.operators.own.web.run
        if self.settings.vm_metrics:
            children["loop_lag"] = partial(sample, self.lag)
        if self.bus is not None:
            children["bus"] = self.bus.run
        elif self.settings.profiles_dir is not None:  # the parent watches for all workers
            children["profiles watch"] = partial(self.reloading.watch, self.settings.profiles_dir)
        if self.member is not None:
            children |= self.member.services()
        children |= self.adding
        for name, child in children.items():
            services.start_soon(partial(supervise, name, child, registry=self.supervisor), name=name)

    async def _first_probes(self) -> None:
        """Also of sockets, where there is nothing else to ask."""
        with trio.move_on_after(FIRST_PROBES_S):
            if self.member is not None:
                await self.member.first_look()
            events = [prober.settled for prober in self.probers]
            events += [keeper.settled for keeper in self.keepers if keeper.alone]
            for settled in events:
                await settled.wait()

    async def _web(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.web.run)
            self._web_started.set()

    async def _traffic(self, task_status: trio.TaskStatus[None]) -> None:
        self.operators.warn(self.settings)
        exposure.warn(self.settings, None, self.directory.set)
        listeners = await self._listen()
        with self._cut:
            async with trio.open_nursery() as traffic:
                await traffic.start(self.door.serve, listeners)
                await traffic.start(self.operators.serve)
                self.node.readiness = Readiness.READY
                log.info("node.ready", addresses=self.addresses, version=__version__, node=self.node.id)
                notify.tell(notify.READY)
                task_status.started()
                await self._stopping.wait()
                await self._drain()
                await self.operators.drain()
        for listener in listeners:
            listener.close()

    async def _listen(self) -> list[Listener]:
        if not self.settings.listen:
            return []
        listeners = await open_listeners(self.settings.host, self.settings.port, shared=self.settings.workers > 1)
        self.addresses = [_url(listener.host, listener.port) for listener in listeners]
        return listeners

    async def _drain(self) -> None:
        self.node.readiness = Readiness.DRAINING
        deadline = trio.current_time() + self.settings.grace_s
        log.info("node.draining", connections=self.door.active, grace_s=self.settings.grace_s)
        notify.tell(notify.STOPPING)
        self.door.stop_accepting()
        self.operators.close()
        await self.web.close_idle()
        async with trio.open_nursery() as nursery:
            last_words_s = min(LAST_WORDS_S, self.settings.grace_s / 4)
            nursery.start_soon(self.websockets.drain, deadline - last_words_s)
            whole = await self.door.drain(deadline)
            nursery.cancel_scope.cancel()
        written = await self.afterwork.drain(deadline)
        log.info("node.drained", all_finished=whole and written)

    async def _housekeeping(self) -> None:
        """Close what was kept too long; a pool looks only at what it is about to use."""
        while True:
            await trio.sleep(HOUSEKEEPING_S)
            now = trio.current_time()
            for pool in self.registry.pools():
                pool.expire(now)

    def stop(self) -> None:
        """The first call drains, the second cuts."""
        if self._stopping.is_set():
            self.cut()
        self.drain()

    def drain(self) -> None:
        """Stop when the calls in flight have finished, or at the end of the grace; again: no difference."""
        self._stopping.set()

    def cut(self) -> None:
        """Stop at once."""
        self._stopping.set()
        self._cut.cancel()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

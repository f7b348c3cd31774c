"""How each thing that rows want is found out, and in which order. Thin: what it means is the rows' business.

A stage that cannot find out raises Missing; what a network does to it becomes part of what it saw. Each has its time
limit; what must not be cut off (a cordoned provider) guards itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.cordoning import Cordon
from lasso_trio.check.facts import (
    DoorsSeen,
    FailoverSeen,
    GitSeen,
    LimitSeen,
    LoadSeen,
    LogSeen,
    MachineSeen,
    MatesSeen,
    NodeSeen,
    PublicSeen,
    RegionsSeen,
    ShippedSeen,
    SocketSeen,
    StrategiesSeen,
    there,
)
from lasso_trio.check.git import look_at_git
from lasso_trio.check.loading import LOAD_METHOD, Crowd, Pace, TooMany, flood_body, load_body, plan_flood, summed
from lasso_trio.check.log_lines import read_log
from lasso_trio.check.machine import look_at_machine, look_at_shipped
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.monitoring import LOGIN
from lasso_trio.check.page import Page
from lasso_trio.check.row import Need
from lasso_trio.cluster.address import Address
from lasso_trio.cluster.discovery import Discovery, DnsFault
from lasso_trio.cluster.lines import PATH as EXCHANGE
from lasso_trio.config.profile import Strategy
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.probe import websocket
from lasso_trio.probe.asker import Counter, Manners
from lasso_trio.probe.target import Target

HEALTH_SAMPLES: Final = 3
HEAD_WAIT_S: Final = 20.0
LOAD_S: Final = 60.0
METRICS_KEPT_S: Final = 1.1
"""A page of metrics is kept for a second."""
FLOOD_CONCURRENCY: Final = 50
FLOOD_S: Final = 20.0

Gather = Callable[[Bench], Awaitable[Any]]


@attrs.frozen
class Stage:
    need: Need
    what: str
    """In words, while it is done."""
    gather: Gather
    limit_s: float = 60.0


async def git(bench: Bench) -> GitSeen:
    return await look_at_git(bench.facts.setup.get("SECRET_KEY_BASE"))


async def shipped(bench: Bench) -> ShippedSeen:
    return await trio.to_thread.run_sync(look_at_shipped, bench.order.source, bench.order.runbook)


async def machine(_: Bench) -> MachineSeen:
    return await trio.to_thread.run_sync(look_at_machine)


async def node(bench: Bench) -> NodeSeen:
    """Raises Missing for whatever follows by `run`, when nobody answers; this itself is seen and judged."""
    health = tuple([await bench.caller.get(f"{bench.url}/api/health") for _ in range(HEALTH_SAMPLES)])
    ready, chains = [await bench.caller.get(f"{bench.url}/api/{name}") for name in ("ready", "chains")]
    return NodeSeen(health, ready, chains)


async def doors(bench: Bench) -> DoorsSeen:
    get, ops = bench.caller.get, bench.ops
    dashboard = await get(f"{ops}/dashboard")
    login = await get(f"{ops}{LOGIN}") if LOGIN in dashboard.location else None
    on_main = None if ops == bench.url else await get(f"{bench.url}/dashboard")
    return DoorsSeen(
        dashboard, login, await get(f"{ops}/dashboard/api/profiles"), await get(f"{ops}/admin/providers"), on_main
    )


async def public(bench: Bench) -> PublicSeen:
    url, get = _public(bench), bench.caller.get
    exchange = await bench.caller.page("POST", f"{url}{EXCHANGE}")
    return PublicSeen(
        url, await get(f"{url}/api/health"), await get(f"{url}/metrics"), await get(f"{url}/admin/providers"), exchange
    )


def _public(bench: Bench) -> str:
    if bench.public is None:
        raise Missing("there is no public URL", "set PHX_HOST, or give --public-url")
    return bench.public


async def socket(bench: Bench) -> SocketSeen:
    base = bench.public or bench.url
    url = base.replace("http", "ws", 1) + f"/ws{bench.path()}"
    headers = {name: Secret(value) for name, value in bench.order.header_pairs.items()}
    manners = Manners(timeout_s=bench.order.timeout, head_wait_s=HEAD_WAIT_S)
    found = await websocket.check(Target("node", ws_url=SecretUrl(url), headers=headers), manners, Counter())
    return SocketSeen(url, bench.public is not None, found)


async def strategies(bench: Bench) -> StrategiesSeen:
    problems = {}
    for number, strategy in enumerate(Strategy):
        headers = {"x-request-id": f"{bench.mark}-{number}", "x-lasso-cache": "bypass"}
        said = await bench.caller.call(bench.rpc(bench.url, strategy.value), LOAD_METHOD, [], headers)
        problems[strategy.value] = said.problem
    return StrategiesSeen(problems)


async def cluster(bench: Bench) -> Page:
    return await bench.caller.get(f"{bench.url}/api/cluster")


async def mates(bench: Bench) -> MatesSeen:
    terms = None if bench.facts.setup.settings is None else bench.facts.setup.settings.cluster
    if terms is None:
        raise Missing(
            "a lone node", "a cluster wants CLUSTER_DNS_QUERY and CLUSTER_NODE_BASENAME: see docs/clustering.md"
        )
    port = terms.port or there(bench.facts.setup.settings).port
    try:
        found = await Discovery(terms.dns_query, port, terms.dns_server).look()
    except DnsFault as fault:
        return MatesSeen(str(fault))
    return MatesSeen(problems={str(each): await _mate_problem(bench, each) for each in sorted(found)})


async def _mate_problem(bench: Bench, address: Address) -> str:
    page = await bench.caller.get(f"{address.origin}/api/health")
    if page.status != 200 or "node_id" not in page.row:
        return page.said if page.status != 200 else "no node answers there"
    return (await bench.caller.call(bench.rpc(address.origin), LOAD_METHOD, [])).problem


async def regions(bench: Bench) -> RegionsSeen:
    if not bench.order.regions:
        raise Missing(
            "no regions were named",
            "give --region URL for each; that the name moves between them is the DNS provider's doing",
        )
    pages = [await bench.caller.get(f"{url}/api/ready") for url in bench.order.regions]
    told = zip(bench.order.regions, pages, strict=True)
    return RegionsSeen({url: "" if page.status == 200 else page.said for url, page in told})


async def failover(bench: Bench) -> FailoverSeen:
    token = bench.facts.setup.admin_token
    if token is None:
        raise Missing("no LASSO_ADMIN_TOKEN: nobody may be cordoned", "set it for the node and for the check")
    url = bench.rpc(bench.url, Strategy.PRIORITY) + "?include_meta=body"
    return await Cordon(bench.caller, url, bench.ops, token, bench.remarks.append).run()


async def load(bench: Bench) -> LoadSeen:
    order, (rps, burst) = bench.order, bench.limits
    if not order.load_calls:
        raise Missing("no calls were allowed", "--load-calls 1000")
    before = await _cost(bench)
    url, pace = bench.rpc(bench.url, Strategy.FASTEST), Pace.within(rps, burst)

    def told(answered: int) -> None:
        bench.tell(f"load test: {answered} of {order.load_calls}")

    crowd = Crowd(bench.caller, url, load_body(), order.load_calls, order.concurrency, pace, LOAD_S, told)
    seen = summed(await crowd.run(), crowd.seconds)
    await trio.sleep(METRICS_KEPT_S)
    after = await _cost(bench)
    seen = attrs.evolve(seen, concurrency=order.concurrency, paced=pace.at(order.load_calls) > 0)
    if before is None or after is None:
        return seen
    return attrs.evolve(seen, cpu_s=round(after[0] - before[0], 3), memory=after[1])


async def _cost(bench: Bench) -> tuple[float, int] | None:
    """CPU seconds and bytes of memory of the node; None where it does not tell."""
    try:
        page = await bench.metric_page()
    except Missing:
        return None
    return page.total("process_cpu_seconds_total"), int(page.total("process_resident_memory_bytes"))


async def metrics(bench: Bench) -> MetricPage:
    return await bench.metric_page()


async def limit(bench: Bench) -> LimitSeen:
    """Against the profile that limits us first, unless one was named."""
    slug, (rps, burst) = bench.narrowest
    flood = plan_flood(rps, burst, bench.order.load)
    if isinstance(flood, TooMany):
        raise Missing(flood.why, flood.todo)
    crowd = Crowd(
        bench.caller, bench.rpc(bench.url, profile=slug), flood_body(flood), flood.requests, FLOOD_CONCURRENCY,
        deadline_s=FLOOD_S,
    )  # fmt: skip
    answers = await crowd.run()
    limited = [said for said in answers if said.limited]
    return LimitSeen(
        slug or "default",
        rps,
        burst,
        sent=len(answers) * flood.per_request,
        limited=len(limited) * flood.per_request,
        seconds=crowd.seconds,
        told_when=any(said.retry_after for said in limited),
        other=next((said.problem for said in answers if said.problem and not said.limited), ""),
    )


async def log(bench: Bench) -> LogSeen:
    name = bench.order.log
    if name is None:
        raise Missing("no log was given", "--log FILE, or `docker logs NODE 2>&1 | lasso check --log -`")
    try:
        return await trio.to_thread.run_sync(read_log, name, bench.mark, abandon_on_cancel=True)
    except OSError as fault:
        raise Missing(f"{name} cannot be read: {fault.strerror}", unable=True) from fault


STAGES: Final = (
    Stage(Need.GIT, "looking at git", git, 30.0),
    Stage(Need.SHIPPED, "reading what is shipped", shipped),
    Stage(Need.MACHINE, "looking at the machine", machine),
    Stage(Need.NODE, "asking for health", node),
    Stage(Need.DOORS, "trying the doors", doors),
    Stage(Need.PUBLIC, "asking the public URL", public),
    Stage(Need.STRATEGIES, "a call by each strategy", strategies, 90.0),
    Stage(Need.SOCKET, "waiting for a block over WebSocket", socket),
    Stage(Need.CLUSTER, "asking for the cluster", cluster),
    Stage(Need.MATES, "asking the other nodes", mates, 120.0),
    Stage(Need.REGIONS, "asking the regions", regions),
    Stage(Need.FAILOVER, "cordoning a provider", failover, 120.0),
    Stage(Need.LOAD, "load test", load, 120.0),
    Stage(Need.METRICS, "reading the metrics", metrics),
    Stage(Need.LIMIT, "running into the client limit", limit),
    Stage(Need.LOG, "reading the log", log),
)

"""Rows N1 to N3: which ports are open to whom, what the machine can carry, and a load test. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lasso_trio.check.facts import Facts, LoadSeen, PublicSeen, there
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned
from lasso_trio.config.profile import Profile
from lasso_trio.config.settings import Settings

PER_CPU: Final = 500.0
"""Calls a second that the checklist's rule expects of one CPU."""
FEWEST_CALLS: Final = 100
"""For figures that mean something."""
MEMORY: Final = 512 * 1024 * 1024
MEMORY_PER_1000: Final = 256 * 1024 * 1024
DISK: Final = 10 * 1024**3
HEADROOM: Final = 2
MOST_ERRORS: Final = 0.01
SLOW_P95_MS: Final = 1000.0
SLOW_P99_MS: Final = 5000.0
_OPERATORS: Final = "LASSO_OPS_PORT gives the dashboard, the metrics and the admin API a port of their own"


def judge_ports(facts: Facts) -> Verdict:
    """N1."""
    settings = facts.setup.settings
    if settings is None:
        return skipped("the environment cannot be read", "see the rows E1 to E10")
    if facts.public is not None and (faults := list(_reachable(facts.public))):
        return failed("; ".join(faults), f"close them at the proxy or the firewall; {_OPERATORS}")
    if remarks := list(_remarks(facts, settings)):
        return warned("; ".join(remarks), f"see docs/deployment.md#before-you-start; {_OPERATORS}")
    seen = "" if facts.public is None else "; from outside there are calls only"
    return passed(f"{settings.port} for calls, {settings.ops_port or settings.port} for operators{seen}")


def _reachable(public: PublicSeen) -> Iterator[str]:
    if public.metrics.status == 200 and b"lasso_" in public.metrics.body:
        yield "/metrics can be read at the public URL"
    if public.admin.status == 200:
        yield "/admin can be used at the public URL"
    if public.exchange.status == 401 and public.exchange.row.get("error") == "version":
        yield "what nodes of the cluster tell each other is reachable at the public URL"


def _remarks(facts: Facts, settings: Settings) -> Iterator[str]:
    """What only production has to mind: elsewhere a node listens on loopback."""
    if facts.public is not None and facts.public.admin.status == 401:
        yield "/admin asks for its token at the public URL"
    if not facts.setup.is_prod:
        return
    if settings.ops_port is None:
        yield f"operators' pages are on the port of the calls ({settings.port})"
    if open_ := [slug for slug, profile in facts.setup.profiles.items() if not is_guarded(profile)]:
        yield f"who reaches the port may call: strangers are let in by {', '.join(open_)}"


def is_guarded(profile: Profile) -> bool:
    """Whether a stranger's call to this profile is refused."""
    return not profile.access.lets_anybody_in


def judge_capacity(facts: Facts) -> Verdict:
    """N2. The checklist's rule, and what the load test has shown of this node."""
    machine, load = there(facts.machine), there(facts.load)
    if load.cpu_s is None or load.sent < FEWEST_CALLS:
        return skipped("the load test was too short to say, or its metrics cannot be read", "see N3; --load-calls 1000")
    per_cpu = load.sent / max(load.cpu_s, 0.01)
    figures = {"per_cpu_second": round(per_cpu), "cpus": machine.cpus, "memory": machine.memory}
    told = f"{per_cpu:.0f} calls a second per CPU (the rule: {PER_CPU:.0f}), {machine.cpus} CPUs here"
    if per_cpu < PER_CPU:
        return failed(told, "is the machine busy with something else? see docs/performance.md", **figures)
    if short := list(_short_of(facts, load)):
        return warned(f"{told}; {', '.join(short)}", "see docs/performance.md#connections-and-memory", **figures)
    return passed(told, **figures)


def _short_of(facts: Facts, load: LoadSeen) -> Iterator[str]:
    machine = there(facts.machine)
    wanted = MEMORY + MEMORY_PER_1000 * load.per_second * HEADROOM / 1000
    if 0 < machine.memory < wanted:
        yield f"{machine.memory >> 20} MiB of memory, and {int(wanted) >> 20} are wanted"
    if 0 < machine.disk_free < DISK:
        yield f"{machine.disk_free >> 30} GiB of disk are free, and 10 are wanted"


def judge_load(facts: Facts) -> Verdict:
    """N3."""
    load = there(facts.load)
    figures = {
        "sent": load.sent,
        "errors": load.errors,
        "limited": load.limited,
        "per_second": round(load.per_second, 1),
        "p50_ms": load.p50_ms,
        "p95_ms": load.p95_ms,
        "p99_ms": load.p99_ms,
        "error_rate": round(load.error_rate, 5),
    }
    if facts.strategies is not None and (broken := {k: v for k, v in facts.strategies.problems.items() if v}):
        name, problem = next(iter(broken.items()))
        why = f"/rpc/{name}/… does not answer: {problem}" + (
            f" (and {len(broken) - 1} more)" if broken.keys() - {name} else ""
        )
        return failed(why, "see the node's log for these calls", **figures)
    told = (
        f"{load.sent} calls, {load.concurrency} at once, {load.per_second:.0f}/s: p50 {load.p50_ms:.1f}, "
        f"p95 {load.p95_ms:.1f}, p99 {load.p99_ms:.1f} ms, {load.error_rate:.2%} errors"
    )
    return _of_load(load, told, figures)


def _of_load(load: LoadSeen, told: str, figures: dict[str, float]) -> Verdict:
    if not load.sent:
        return failed("not one call came back", "is the chain served, and does a provider answer?", **figures)
    if load.error_rate >= MOST_ERRORS:
        return failed(f"{told}, such as: {load.example}", "see the node's log for these calls", **figures)
    if load.limited:
        why = f"{told}; {load.limited} more were refused by the client limit"
        return warned(why, "measure with a profile whose rps_limit is higher (--profile)", **figures)
    if load.p95_ms > SLOW_P95_MS or load.p99_ms > SLOW_P99_MS:
        return warned(told, "which provider is slow? the dashboard shows p95 by method", **figures)
    return passed(f"{told}{' (paced by the client limit)' if load.paced else ''}", **figures)


ROWS: Final = (
    Row("N1", "Ports", "docs/deployment.md#before-you-start", judge_ports, (), {Need.PUBLIC}),
    Row("N2", "Capacity", "docs/capacity.md", judge_capacity, {Need.MACHINE, Need.LOAD}),
    Row("N3", "Load test", "docs/performance.md", judge_load, {Need.LOAD}, {Need.STRATEGIES}),
)

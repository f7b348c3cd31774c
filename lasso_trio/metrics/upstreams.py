"""Tells of each upstream (an instance: one physical endpoint, shared by every profile that names it).

The label is `upstream` and not `instance`, because Prometheus gives `instance` to whom it scrapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lasso_trio.config.profile import Transport
from lasso_trio.metrics import latencies
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.prober import Prober
from lasso_trio.providers.registry import Instance
from lasso_trio.routing.directory import Directory
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.raw_stream import Traffic

_UPSTREAM: Final = "upstream"
_CHANNEL: Final = "upstream transport"

BREAKER = gauge(
    "lasso_breaker_state", f"{_CHANNEL} state", "1 for the breaker's state (closed, open, half_open).", Across.KEEPER
)
OPENED = counter("lasso_breaker_opened_total", _CHANNEL, "Times that the breaker opened.")
QUARANTINED = gauge(
    "lasso_breaker_quarantined", _CHANNEL, "1 if opened for a bad key, a wrong chain, or by order.", Across.KEEPER
)
COOLDOWNS = counter("lasso_cooldowns_total", _CHANNEL, "Cooldowns that the upstream's refusals began.")
COOLDOWN = gauge(
    "lasso_cooldown_remaining_seconds", _CHANNEL, "Seconds until the cooldown ends; 0 when there is none.", Across.MOST
)
PACING_CUTS = counter("lasso_pacing_cuts_total", _CHANNEL, "Times that the learned pace was cut.")
PACE = gauge("lasso_pacing_calls_per_second", _CHANNEL, "Calls per second of the learned pace; absent without one.")
LIVE = gauge(
    "lasso_upstream_live",
    _CHANNEL,
    "1 if calls can be sent: over HTTP always, over WebSocket in a session.",
    Across.MOST,
)
CORDONED = gauge("lasso_upstream_cordoned", _CHANNEL, "1 if an operator took it out of service.", Across.MOST)
IN_FLIGHT = gauge("lasso_upstream_calls_in_flight", _CHANNEL, "Attempts under way.")
CONNECTIONS = gauge("lasso_upstream_connections", f"{_UPSTREAM} state", "HTTP connections: idle, or busy (dials too).")
WAITING = gauge("lasso_upstream_calls_waiting", _UPSTREAM, "Attempts that wait for an HTTP connection.")
DIALLED = counter("lasso_upstream_connections_opened_total", _UPSTREAM, "HTTP connections opened.")
REUSED = counter("lasso_upstream_connections_reused_total", _UPSTREAM, "Attempts sent on a kept HTTP connection.")
BYTES = counter(
    "lasso_upstream_bytes_total", f"{_CHANNEL} direction", "Bytes from the upstream (in) and to it (out), TLS included."
)
PROBES = counter("lasso_probes_total", _UPSTREAM, "Calls that probing has cost.")
PROBE_FAILURES = gauge("lasso_probe_consecutive_failures", _UPSTREAM, "Probes that failed in a row.", Across.MOST)
SESSIONS = counter("lasso_upstream_sessions_total", _UPSTREAM, "WebSocket sessions that came to live.")
CONNECTED = gauge("lasso_upstream_connected", _UPSTREAM, "1 while there is a WebSocket session.", Across.MOST)
SUBSCRIBED = counter("lasso_feeds_subscribed_total", _UPSTREAM, "Subscriptions that the upstream granted.")
REFUSED = counter("lasso_feeds_refused_total", _UPSTREAM, "Subscriptions that the upstream refused.")
ARRIVALS = counter("lasso_feed_arrivals_total", _UPSTREAM, "Notifications that arrived from the upstream.")
OVERFLOWS = counter("lasso_feed_overflows_total", _UPSTREAM, "Feeds given up because their reader was too slow.")

FAMILIES: Final = (BREAKER, OPENED, QUARANTINED, COOLDOWNS, COOLDOWN, PACING_CUTS, PACE, LIVE, CORDONED, IN_FLIGHT,
                   CONNECTIONS, WAITING, DIALLED, REUSED, BYTES, PROBES, PROBE_FAILURES, SESSIONS, CONNECTED,
                   SUBSCRIBED, REFUSED, ARRIVALS, OVERFLOWS, *latencies.FAMILIES)  # fmt: skip


def read_upstreams(directory: Callable[[], Directory], table: Table, now: float) -> Iterator[None]:
    """One channel at a time."""
    for instance in tuple(directory().registry.instances.values()):
        for channel in instance.channels.values():
            _breaker(channel, table, now)
            _limits(channel, table, now)
            _line(channel, table)
            latencies.read_channel(channel, table)
            yield
        _watchers(instance, table)


def _breaker(channel: Channel, table: Table, now: float) -> None:
    breaker, who = channel.breaker, _who(channel)
    found = breaker.state(now)
    for state in State:
        table.add(BREAKER, int(state is found), *who, state.value)
    table.add(OPENED, breaker.opened_total - breaker.adopted_total, *who)  # whoever opened it counts it
    table.add(QUARANTINED, int(breaker.quarantined), *who)


def _limits(channel: Channel, table: Table, now: float) -> None:
    who, pacing = _who(channel), channel.pacing
    table.add(COOLDOWNS, channel.cooldown.times, *who)
    table.add(COOLDOWN, channel.cooldown.remaining(now), *who)
    table.add(PACING_CUTS, pacing.times, *who)
    if pacing.rate is not None:
        table.add(PACE, pacing.rate, *who)


def _line(channel: Channel, table: Table) -> None:
    who, pool = _who(channel), channel.pool
    table.add(LIVE, int(channel.live), *who)
    table.add(CORDONED, int(channel.cordoned), *who)
    table.add(IN_FLIGHT, channel.in_flight, *who)
    if isinstance(pool, Pool):
        table.add(CONNECTIONS, pool.idle, channel.instance_id, "idle")
        table.add(CONNECTIONS, pool.busy, channel.instance_id, "busy")
        table.add(WAITING, pool.waiting, channel.instance_id)
        table.add(DIALLED, pool.counters.opened, channel.instance_id)
        table.add(REUSED, pool.counters.reused, channel.instance_id)
        _bytes(pool.traffic, who, table)


def _watchers(instance: Instance, table: Table) -> None:
    prober: Prober | None = instance.prober
    keeper: Keeper | None = instance.keeper
    if prober is not None:
        table.add(PROBES, prober.calls.total, instance.id)
        table.add(PROBE_FAILURES, prober.schedule.failures, instance.id)
    if keeper is not None:
        counters = keeper.counters
        _bytes(keeper.traffic, (instance.id, Transport.WS.value), table)
        table.add(SESSIONS, keeper.sessions, instance.id)
        table.add(CONNECTED, int(keeper.connected), instance.id)
        table.add(SUBSCRIBED, counters.subscribed, instance.id)
        table.add(REFUSED, counters.refused, instance.id)
        table.add(ARRIVALS, counters.arrivals, instance.id)
        table.add(OVERFLOWS, counters.overflows, instance.id)


def _bytes(traffic: Traffic, who: tuple[str, str], table: Table) -> None:
    table.add(BYTES, traffic.received, *who, "in")
    table.add(BYTES, traffic.sent, *who, "out")


def _who(channel: Channel) -> tuple[str, str]:
    return channel.instance_id, channel.transport.value

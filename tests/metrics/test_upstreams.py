from __future__ import annotations

from random import Random

import attrs

from lasso_trio.config.profile import Transport
from lasso_trio.metrics import upstreams
from lasso_trio.routing.directory import Directory
from lasso_trio.subscriptions.session_feeds import FeedCounters
from lasso_trio.telemetry.prometheus import Table
from lasso_trio.upstream.raw_stream import Traffic
from tests.metrics.scene import ALPHA, BETA


def read(directory: Directory, now: float = 100.0) -> Table:
    table = Table()
    list(upstreams.read_upstreams(lambda: directory, table, now))
    return table


def test_the_breaker_is_in_one_state_and_counts_its_openings(directory: Directory) -> None:
    channel = directory.registry.instances[ALPHA].channels[Transport.HTTP]
    channel.breaker.quarantine("test", 100.0, 50.0)
    table = read(directory)
    states = {row[0][2]: row[1] for row in table.rows[upstreams.BREAKER] if row[0][0] == ALPHA}
    assert states == {"closed": 0, "open": 1, "half_open": 0}
    assert table.value(upstreams.OPENED, ALPHA, "http") == 1
    assert table.value(upstreams.QUARANTINED, ALPHA, "http") == 1
    assert read(directory, 151.0).value(upstreams.BREAKER, ALPHA, "http", "half_open") == 1


def test_an_upstream_is_told_once_however_many_profiles_name_it(directory: Directory) -> None:
    opened = [labels for labels, _ in read(directory).rows[upstreams.OPENED]]
    assert sorted(opened) == [(ALPHA, "http"), (BETA, "http"), (BETA, "ws")]


def test_cooldowns_and_the_learned_pace(directory: Directory) -> None:
    channel = directory.registry.instances[ALPHA].channels[Transport.HTTP]
    assert read(directory).value(upstreams.PACE, ALPHA, "http") is None
    channel.cooldown.begin(100.0, 5.0, Random(1))
    channel.pacing.refused(100.0, 40.0, 10.0)
    table = read(directory)
    assert table.value(upstreams.COOLDOWNS, ALPHA, "http") == 1
    assert table.value(upstreams.COOLDOWN, ALPHA, "http") == 5.0
    assert table.value(upstreams.PACE, ALPHA, "http") == channel.pacing.rate
    assert table.value(upstreams.PACING_CUTS, ALPHA, "http") == 1


def test_lines_and_their_connections(directory: Directory) -> None:
    table = read(directory)
    assert (table.value(upstreams.LIVE, BETA, "http"), table.value(upstreams.LIVE, BETA, "ws")) == (1, 0)
    assert table.value(upstreams.CONNECTIONS, ALPHA, "idle") == table.value(upstreams.CONNECTIONS, ALPHA, "busy") == 0
    assert table.value(upstreams.DIALLED, ALPHA) == 0
    assert upstreams.PROBES not in table.rows
    assert upstreams.SESSIONS not in table.rows


@attrs.frozen
class Watcher:
    """Both a prober and a keeper, as far as they are read."""

    sessions: int = 3
    connected: bool = True
    total: int = 12
    failures: int = 2
    counters: FeedCounters = attrs.field(factory=lambda: FeedCounters(subscribed=4, refused=1, arrivals=50))
    traffic: Traffic = attrs.field(factory=Traffic)

    @property
    def calls(self) -> Watcher:
        return self

    @property
    def schedule(self) -> Watcher:
        return self


def test_who_watches_an_upstream_is_told_of(directory: Directory) -> None:
    instance = directory.registry.instances[BETA]
    instance.prober = instance.keeper = Watcher()  # type: ignore[assignment]  # reading is all that is done with it
    table = read(directory)
    assert (table.value(upstreams.PROBES, BETA), table.value(upstreams.PROBE_FAILURES, BETA)) == (12, 2)
    assert (table.value(upstreams.SESSIONS, BETA), table.value(upstreams.CONNECTED, BETA)) == (3, 1)
    assert (table.value(upstreams.SUBSCRIBED, BETA), table.value(upstreams.ARRIVALS, BETA)) == (4, 50)

from __future__ import annotations

from random import Random

import attrs

from lasso_trio.config.profile import Capabilities, Chain, ErrorRule, Monitoring, Profile, Provider, Transport
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_schedule import IDLE_S
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.probers import look_at, make_probers
from lasso_trio.upstream.http1 import Pool


def directory() -> Directory:
    """`shared` is in both profiles; `sockets` has a WebSocket only."""
    shared = Provider("shared", "Shared", "1:shared:0", SecretUrl("http://shared/"))
    own = Provider("own", "Own", "1:own:0", SecretUrl("http://own/"))
    sockets = Provider("sockets", "Sockets", "1:sockets:0", None, SecretUrl("ws://sockets/"))
    slow = Chain("one", 1, "One", (shared, sockets), monitoring=Monitoring(probe_interval_ms=30_000))
    quick = Chain("one", 1, "One", (shared, own), monitoring=Monitoring(probe_interval_ms=5_000))
    profiles = [Profile("public", "Public", (slow,)), Profile("team", "Team", (quick,))]
    return Directory.of(ProfileSet.of(profiles), Registry(Pool, Random(1)))


def test_each_instance_is_probed_once_as_often_as_the_most_demanding_profile_wants() -> None:
    names = directory()
    probers = {prober.channel.instance_id: prober for prober in make_probers(names)}
    assert set(probers) == {"1:shared:0", "1:own:0"}
    assert {prober.schedule.interval_s for prober in probers.values()} == {5.0}
    assert all(prober.channel.transport is Transport.HTTP for prober in probers.values())
    assert names.registry.instances["1:shared:0"].prober is probers["1:shared:0"]
    assert names.registry.instances["1:sockets:0"].head.check is ChainCheck.TRUSTED


def test_calls_of_every_profile_are_activity() -> None:
    names = directory()
    shared, own = make_probers(names)
    for chain in names.chains():
        chain.counts.calls += 1
    assert (shared.activity(), own.activity()) == (2, 1)
    next(iter(names.chains())).own_counts.calls += 1  # for somebody's subscription
    assert shared.activity() + own.activity() > 3


def test_the_error_rules_of_every_profile_are_the_probers() -> None:
    names = directory()
    ours, theirs = ErrorRule("rate_limit", code=1), ErrorRule("auth_error", code=2)
    for chain, rules in zip(names.chains(), ([ours, theirs], [theirs]), strict=True):
        its = (attrs.evolve(p, capabilities=Capabilities(error_rules=tuple(rules))) for p in chain.chain.providers)
        chain.chain = attrs.evolve(chain.chain, providers=tuple(its))
    shared, own = make_probers(names)
    assert (shared.rules, own.rules) == ((ours, theirs), (theirs,))


def test_who_has_a_prober_gets_no_second_one() -> None:
    names = directory()
    assert make_probers(names)
    assert make_probers(names) == []


def test_who_looks_at_it_wakes_every_prober_there_is() -> None:
    names = directory()
    probers = make_probers(names)

    def idle(now: float) -> list[bool]:
        return [prober._idle(now) for prober in probers]

    assert (idle(0.0), idle(IDLE_S)) == ([False, False], [True, True])
    look_at(names, 1000.0)
    assert (idle(1000.0 + IDLE_S - 1), idle(1000.0 + IDLE_S)) == ([False, False], [True, True])


def test_where_another_process_probes_a_look_is_counted_for_it() -> None:
    names = directory()
    look_at(names, 0.0)
    assert {chain.counts.elsewhere for chain in names.chains()} == {1}
    make_probers(names)
    look_at(names, 1.0)
    assert {chain.counts.elsewhere for chain in names.chains()} == {1}

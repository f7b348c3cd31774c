"""One prober for each instance that can be asked over HTTP, with what its chains' profiles say of it.

An instance that several profiles name is probed once, as often as the most demanding of them wants. That clients use a
chain is read from the counts that are kept anyway: a call pays nothing for being noticed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from lasso_trio.config.profile import ErrorRule, Transport
from lasso_trio.providers.probe_schedule import SHORTEST_INTERVAL_S, ProbeSchedule
from lasso_trio.providers.prober import Prober
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain


def make_probers(directory: Directory) -> list[Prober]:
    """Give each instance that has none its prober: from here on it may serve only after its chain is known, so those
    that are returned must be run. The others are told what the profiles of `directory` say now.
    """
    users: dict[str, list[RoutedChain]] = defaultdict(list)
    for chain in directory.chains():
        for id_ in chain.heads.heads:
            users[id_].append(chain)
    made = []
    for id_, chains in users.items():
        instance = directory.registry.instances[id_]
        channel = instance.channels.get(Transport.HTTP)
        if channel is None:
            continue
        interval_s = min(chain.chain.monitoring.probe_interval_ms for chain in chains) / 1000
        if instance.prober is None:
            schedule, rng = ProbeSchedule(interval_s), directory.registry.rng
            instance.prober = Prober(channel, instance.head, instance.chain_id, schedule, _activity(chains), rng)
            made.append(instance.prober)
        else:
            instance.prober.schedule.interval_s = max(interval_s, SHORTEST_INTERVAL_S)
            instance.prober.activity = _activity(chains)
        instance.prober.rules = _rules(chains, id_)
    return made


def look_at(directory: Directory, now: float) -> None:
    """Somebody looks at all of it: probe as if clients used every chain, for five minutes from the last time that this
    was said. An idle instance is asked anew within two seconds. Where another process probes it is counted, to be told
    to that one.
    """
    instances, unprobed = directory.registry.instances, set()
    for id_, instance in instances.items():
        if instance.prober is not None:
            instance.prober.touch(now)
        elif Transport.HTTP in instance.channels:
            unprobed.add(id_)
    for chain in directory.chains():
        chain.counts.elsewhere += not unprobed.isdisjoint(chain.heads.heads)


def _rules(chains: list[RoutedChain], instance_id: str) -> tuple[ErrorRule, ...]:
    """Those of every profile that names the instance, each once."""
    providers = (p for chain in chains for p in chain.chain.providers if p.instance_id == instance_id)
    return tuple(dict.fromkeys(rule for provider in providers for rule in provider.capabilities.error_rules))


def _activity(chains: list[RoutedChain]) -> Callable[[], int]:
    """Clients' calls, and what is read for their subscriptions; and signs of both at other workers."""
    return lambda: sum(chain.counts.calls + chain.own_counts.calls + chain.counts.elsewhere for chain in chains)

"""One keeper for each instance that has a WebSocket, with what its chains' profiles say of it.

An instance that several profiles name has one keeper: it listens to new heads if any of them wants it, is as patient
as the most patient of them, and judges errors by the rules of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from lasso_trio.config.profile import Chain, Provider, Transport
from lasso_trio.providers.registry import Instance
from lasso_trio.routing.directory import Directory
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.upstream.dial import Dialer
from lasso_trio.upstream.dialled import Dial
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.websocket import ws_endpoint

LISTENING_ALONE: Final = 1 / 3
"""Who is looked at over HTTP as well is asked for a sign of life so often per timeout."""

MakeDial = Callable[[Endpoint], Dial]
Use = tuple[Chain, Provider]


def dial_of(endpoint: Endpoint) -> Dial:
    return Dialer(endpoint).dial


def make_keepers(directory: Directory, make_dial: MakeDial = dial_of, *, elsewhere: bool = False) -> list[Keeper]:
    """Give each instance that has none its keeper; those that are returned must be run. The others are told what the
    profiles of `directory` say now.

    `elsewhere`: another process keeps. Then only those get one that are called over their WebSocket and nothing else,
    and it is for calls alone, until `Keeper.watch`.
    """
    uses: dict[str, list[Use]] = defaultdict(list)
    for routed in directory.chains():
        for provider in routed.chain.providers:
            if provider.ws_url is not None:
                uses[provider.instance_id].append((routed.chain, provider))
    made = []
    for id_, its in uses.items():
        instance = directory.registry.instances[id_]
        if instance.keeper is None and elsewhere and Transport.HTTP in instance.channels:
            continue
        if instance.keeper is None:
            instance.keeper = _keeper(instance, its[0][1], directory, make_dial)
            instance.keeper.watching = not elsewhere
            made.append(instance.keeper)
        elif not elsewhere:
            instance.keeper.watch()
        instance.keeper.terms = terms_of(its, alone=instance.keeper.alone)
    return made


def terms_of(uses: list[Use], *, alone: bool) -> Terms:
    timeout_s = max(chain.websocket.new_heads_timeout_ms for chain, _ in uses) / 1000
    interval_s = min(chain.monitoring.probe_interval_ms for chain, _ in uses) / 1000
    return Terms(
        new_heads=any(provider.subscribe_new_heads for _, provider in uses),
        timeout_s=timeout_s,
        poll_s=interval_s if alone else timeout_s * LISTENING_ALONE,
        error_rules=tuple(dict.fromkeys(rule for _, provider in uses for rule in provider.capabilities.error_rules)),
    )


def _keeper(instance: Instance, provider: Provider, directory: Directory, make_dial: MakeDial) -> Keeper:
    assert provider.ws_url is not None
    endpoint = ws_endpoint(provider.ws_url, provider.headers)
    channel = instance.channels[Transport.WS]
    alone = Transport.HTTP not in instance.channels
    rng = directory.registry.rng
    return Keeper(channel, instance.head, instance.chain_id, endpoint, make_dial(endpoint), alone=alone, rng=rng)

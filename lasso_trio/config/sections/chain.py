"""One chain of a profile: its names, how it is watched, what may lag, and its providers.

Reading goes in two steps, because a chain's routing needs the profile's, and the profile's check needs every chain's
providers: `read_chain` gives a draft, `ChainDraft.settle` the value.
"""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.config.document import Scalar
from lasso_trio.config.fields import Fields
from lasso_trio.config.profile import Chain, Monitoring, Provider, Selection, Topology, WebSocketPolicy
from lasso_trio.config.sections.names import ChainNames, check_chain_name
from lasso_trio.config.sections.provider import ProviderHome, read_providers
from lasso_trio.config.sections.routing import RoutingDraft, check_mentions, read_routing, settled

CHAIN_KEYS: Final = (
    "chain_id",
    "name",
    "url_aliases",
    "aliases",
    "block_time_ms",
    "monitoring",
    "selection",
    "websocket",
    "failover",
    "ui-topology",
    "routing",
    "providers",
)
MONITORING_KEYS: Final = (
    "probe_interval_ms",
    "lag_alert_threshold_blocks",
    "lag_threshold_blocks",
    "subscribe_new_heads",
    "new_heads_staleness_threshold_ms",
)
SELECTION_KEYS: Final = ("max_lag_blocks", "archival_threshold")
WEBSOCKET_KEYS: Final = ("subscribe_new_heads", "new_heads_timeout_ms", "failover", "feeds", "conflate_heads")
FAILOVER_KEYS: Final = ("max_backfill_blocks", "backfill_timeout_ms")
OLD_FAILOVER_KEYS: Final = (*FAILOVER_KEYS, "backfill_timeout")
OLD_TIMEOUT_KEYS: Final = ("backfill_timeout_ms", "backfill_timeout")
TOPOLOGY_KEYS: Final = ("color", "size")

_SIZES: Final = {size: size for size in ("sm", "md", "lg", "xl")}
_PROBE_INTERVAL_IN_SECTION_MS: Final = 15_000


@attrs.frozen
class ChainDraft:
    """A chain without its final routing, and what the checks across chains need."""

    chain: Chain
    names: ChainNames
    routing: RoutingDraft

    @property
    def provider_ids(self) -> frozenset[str]:
        return frozenset(provider.id for provider in self.chain.providers)

    def settle(self, profile_routing: RoutingDraft) -> Chain:
        return attrs.evolve(self.chain, routing=settled(profile_routing, self.routing, self.provider_ids))


def read_chain(key: Scalar, fields: Fields, profile: str) -> ChainDraft:
    check_chain_name("chain", key.text, key.line, fields.report)
    fields.require("chain_id")
    chain_id = fields.integer("chain_id", 0, least=1)
    names = _names(key, chain_id, fields)
    websocket = _websocket(fields)
    home = ProviderHome(chain_id, profile, websocket.subscribe_new_heads)
    providers = read_providers(fields, home)
    routing = read_routing(fields)
    check_mentions(routing, frozenset(provider.id for provider in providers), fields)
    return ChainDraft(_chain(key.text, chain_id, names, fields, websocket, providers), names, routing)


def _chain(
    key: str,
    chain_id: int,
    names: ChainNames,
    fields: Fields,
    websocket: WebSocketPolicy,
    providers: tuple[Provider, ...],
) -> Chain:
    return Chain(
        key=key,
        chain_id=chain_id,
        name=fields.text("name", key),
        aliases=tuple(name for name, _ in names.names[1:]),
        block_time_ms=fields.integer("block_time_ms", None, least=1),
        monitoring=_monitoring(fields.section("monitoring", MONITORING_KEYS)),
        selection=_selection(fields.section("selection", SELECTION_KEYS)),
        websocket=websocket,
        topology=_topology(fields.section("ui-topology", TOPOLOGY_KEYS)),
        providers=providers,
    )


def _names(key: Scalar, chain_id: int, fields: Fields) -> ChainNames:
    """`chain_id` is 0 when it could not be read: such a chain collides with no other by its id."""
    aliases = fields.texts(fields.first_of("url_aliases", "aliases"))
    for alias in aliases:
        check_chain_name("alias", alias.text, alias.line, fields.report)
    names = ((key.text, key.line), *((alias.text, alias.line) for alias in aliases))
    return ChainNames(key.text, chain_id or None, fields.line("chain_id"), names)


def _monitoring(fields: Fields | None) -> Monitoring:
    if fields is None:
        return Monitoring()
    threshold = fields.first_of("lag_alert_threshold_blocks", "lag_threshold_blocks")
    return Monitoring(
        probe_interval_ms=fields.integer("probe_interval_ms", _PROBE_INTERVAL_IN_SECTION_MS, least=1),
        lag_alert_threshold_blocks=fields.integer(threshold, Monitoring().lag_alert_threshold_blocks, least=0),
    )


def _selection(fields: Fields | None) -> Selection:
    if fields is None:
        return Selection()
    return Selection(
        max_lag_blocks=fields.integer("max_lag_blocks", None, least=0),
        archival_threshold=fields.integer("archival_threshold", Selection().archival_threshold, least=0),
    )


def _websocket(chain: Fields) -> WebSocketPolicy:
    """The `websocket` section; the places where older files keep it are looked at only when it is absent."""
    old = _old_websocket(chain)
    fields = chain.section("websocket", WEBSOCKET_KEYS)
    if "websocket" not in chain:
        return old
    if fields is None:
        return WebSocketPolicy()
    failover = fields.section("failover", FAILOVER_KEYS)
    policy = _policy(fields, "new_heads_timeout_ms", failover, "backfill_timeout_ms")
    return attrs.evolve(
        policy,
        feeds=fields.integer("feeds", policy.feeds, least=1),
        conflate_heads=fields.boolean("conflate_heads", policy.conflate_heads),
    )


def _old_websocket(chain: Fields) -> WebSocketPolicy:
    monitoring = chain.section("monitoring", MONITORING_KEYS)
    failover = chain.section("failover", OLD_FAILOVER_KEYS)
    timeout = failover.first_of(*OLD_TIMEOUT_KEYS) if failover is not None else ""
    return _policy(monitoring, "new_heads_staleness_threshold_ms", failover, timeout)


def _policy(heads: Fields | None, heads_timeout: str, failover: Fields | None, timeout: str) -> WebSocketPolicy:
    policy = WebSocketPolicy()
    if heads is not None:
        policy = attrs.evolve(
            policy,
            subscribe_new_heads=heads.boolean("subscribe_new_heads", policy.subscribe_new_heads),
            new_heads_timeout_ms=heads.integer(heads_timeout, policy.new_heads_timeout_ms, least=1),
        )
    if failover is not None:
        policy = attrs.evolve(
            policy,
            max_backfill_blocks=failover.integer("max_backfill_blocks", policy.max_backfill_blocks, least=0),
            backfill_timeout_ms=failover.integer(timeout, policy.backfill_timeout_ms, least=1),
        )
    return policy


def _topology(fields: Fields | None) -> Topology:
    if fields is None:
        return Topology()
    color = fields.text("color", Topology().color)
    if not _is_color(color):
        fields.complain("color", f"'color' must be written like '#6B7280', found {color!r}")
    return Topology(color=color, size=fields.choice("size", _SIZES, Topology().size))


def _is_color(text: str) -> bool:
    digits = text.removeprefix("#")
    return text != digits and len(digits) in (3, 6) and all(digit in "0123456789abcdefABCDEF" for digit in digits)

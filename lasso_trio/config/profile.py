"""The profile as values: what a YAML file means once it is read, checked and completed with defaults.

Everything is frozen; a reload builds new values and swaps them. Units are in the names (`_ms`, `_bytes`); block counts
are plain integers. How a file becomes these values, and every check on the way, is `loader`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import attrs

from lasso_trio.config.access import OPEN, AccessPolicy
from lasso_trio.config.secret import Secret, SecretUrl


class Strategy(StrEnum):
    """How candidates are ranked. `round-robin` is an alias of `load-balanced` everywhere a name is read."""

    FASTEST = "fastest"
    LOAD_BALANCED = "load-balanced"
    LATENCY_WEIGHTED = "latency-weighted"
    PRIORITY = "priority"


STRATEGY_NAMES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {spelling: strategy for strategy in Strategy for spelling in (strategy.value, strategy.value.replace("-", "_"))}
    | {"round-robin": Strategy.LOAD_BALANCED, "round_robin": Strategy.LOAD_BALANCED}
)
"""Every spelling of a strategy that a URL, a query or a file may use."""


class Transport(StrEnum):
    HTTP = "http"
    WS = "ws"


class SharingMode(StrEnum):
    """`isolated`: this profile gets an instance of its own (own breaker, own connections)."""

    AUTO = "auto"
    ISOLATED = "isolated"


@attrs.frozen
class ErrorRule:
    """Overrides classification: code equal (when given) and any fragment found, case-insensitively (when given)."""

    category: str
    code: int | None = None
    message_contains: tuple[str, ...] = ()


@attrs.frozen
class Limits:
    max_block_range: int | None = None
    max_block_age: int | None = None
    block_age_methods: tuple[str, ...] = ()


@attrs.frozen
class Capabilities:
    """What a provider cannot do. A given `unsupported_categories` replaces the default (`local_only`)."""

    unsupported_categories: tuple[str, ...] = ("local_only",)
    unsupported_methods: tuple[str, ...] = ()
    limits: Limits = Limits()
    error_rules: tuple[ErrorRule, ...] = ()


@attrs.frozen
class Allowance:
    """What may be spent at a provider, in weights of methods (an ordinary call is 1). None: as much as it takes.

    `rps` in any one second, `daily` in any 24 hours. `weights`: of methods, where the built-in ones are wrong.
    """

    rps: int | None = None
    daily: int | None = None
    weights: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen
class Provider:
    """A profile's name for an instance. `instance_id` is `<chain id>:<host hint>:<12 hex of sha256>`."""

    id: str
    name: str
    instance_id: str
    url: SecretUrl | None = None
    ws_url: SecretUrl | None = None
    priority: int = 100
    archival: bool = True
    subscribe_new_heads: bool = True
    sharing_mode: SharingMode = SharingMode.AUTO
    headers: Mapping[str, Secret] = attrs.field(factory=dict)
    """Extra upstream headers, merged: `headers`, then `api_key` as `Authorization: Bearer`, then `auth_headers`."""
    capabilities: Capabilities = Capabilities()
    allowance: Allowance = Allowance()


@attrs.frozen
class HedgePolicy:
    """When a late call is raced against another provider.

    The timer is `quantile` (0…1) of what the asked provider needs for the method, held between `min_ms` and `max_ms`.
    `budget`: extra upstream calls, as a share of the calls.
    """

    enabled: bool | None = None
    """None: as the strategy has it; `fastest` hedges, the others do not."""
    quantile: float = 0.97
    min_ms: int = 5
    max_ms: int = 2_000
    max_extra: int = 1
    budget: float = 0.05


@attrs.frozen
class MethodOverride:
    """What one method does differently. `providers`: only these, in this order for `priority`; empty means all."""

    strategy: Strategy | None = None
    providers: tuple[str, ...] = ()
    timeout_ms: int | None = None
    hedge: HedgePolicy | None = None
    """The whole policy, where the method has one of its own."""


@attrs.frozen
class Routing:
    """`broadcast`: how many providers are sent a signed transaction. `coalesce`: equal reads in flight share a call."""

    default_strategy: Strategy = Strategy.LOAD_BALANCED
    method_overrides: Mapping[str, MethodOverride] = attrs.field(factory=dict)
    split_logs: bool = True
    """An `eth_getLogs` that is too large for the providers is asked for in parts."""
    hedge: HedgePolicy = HedgePolicy()
    broadcast: int = 2
    coalesce: bool = True


@attrs.frozen
class CachePolicy:
    """Answers that are kept for a while. `max_bytes` bounds all of them, keys included; `price_ms`: gas prices."""

    enabled: bool = False
    max_bytes: int = 64 * 1024 * 1024
    price_ms: int = 1_000


@attrs.frozen
class Monitoring:
    probe_interval_ms: int = 12_000
    lag_alert_threshold_blocks: int = 3


@attrs.frozen
class Selection:
    max_lag_blocks: int | None = None
    archival_threshold: int = 128


@attrs.frozen
class WebSocketPolicy:
    subscribe_new_heads: bool = True
    new_heads_timeout_ms: int = 42_000
    max_backfill_blocks: int = 100
    backfill_timeout_ms: int = 30_000
    feeds: int = 2
    """How many providers feed a stream at one time."""
    conflate_heads: bool = False
    """A client that is slow gets the newest head and not each of them; else it is closed with 1013."""


@attrs.frozen
class Topology:
    color: str = "#6B7280"
    size: str = "md"


@attrs.frozen
class Chain:
    """`key` is the canonical alias; `aliases` are further names. The decimal id always resolves too."""

    key: str
    chain_id: int
    name: str
    providers: tuple[Provider, ...]
    aliases: tuple[str, ...] = ()
    block_time_ms: int | None = None
    monitoring: Monitoring = Monitoring()
    selection: Selection = Selection()
    websocket: WebSocketPolicy = WebSocketPolicy()
    topology: Topology = Topology()
    routing: Routing = Routing()
    """The chain's own `routing` laid over the profile's."""


@attrs.frozen
class Profile:
    slug: str
    name: str
    chains: tuple[Chain, ...]
    logo: str | None = None
    type: str | None = None
    rps_limit: int = 100
    burst_limit: int = 500
    unlisted: bool = False
    routing: Routing = Routing()
    cache: CachePolicy = CachePolicy()
    access: AccessPolicy = OPEN
    source: str = "<memory>"

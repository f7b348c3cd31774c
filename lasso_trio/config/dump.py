"""The effective configuration as YAML: every default written out, every secret masked.

What comes out is a profile file again: the loader reads it back to the same values, except for what the masks hide.
Only three shapes are needed (mappings, lists, words), so the emitter is a few lines and quotes what it is not sure of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from lasso_trio.config.dump_access import access_told
from lasso_trio.config.profile import Capabilities, Chain, HedgePolicy, MethodOverride, Profile, Provider, Routing
from lasso_trio.config.settings import Settings

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value] | None"

_SAFE: Final = re.compile(r"(?!(?i:true|false|null|yes|no|on|off)$)[A-Za-z_/][A-Za-z0-9_./*-]*(?::[A-Za-z0-9_./*-]+)*")


def dump_profiles(profiles: Iterable[Profile]) -> str:
    """Each profile as a file of its own, beneath a comment with the name that file would have."""
    return "\n".join(f"# {profile.slug}.yml (from {profile.source})\n{dump_profile(profile)}" for profile in profiles)


def dump_settings(settings: Settings) -> str:
    """What the environment decided, as comments: a profile file has no place for it."""
    names = [field.name for field in attrs.fields(Settings) if field.name != "warnings"]
    lines = [f"#   {name}: {_inline(_shown(getattr(settings, name)))}" for name in names]
    return "\n".join(["# settings", *lines]) + "\n"


def dump_profile(profile: Profile) -> str:
    """One profile as one YAML document."""
    return "\n".join(_lines(_profile(profile), "")) + "\n"


def _shown(value: object) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    return [str(item) for item in value] if isinstance(value, tuple) else str(value)


def _profile(profile: Profile) -> dict[str, Value]:
    return {
        "name": profile.name,
        "slug": profile.slug,
        "logo": profile.logo,
        "type": profile.type,
        "rps_limit": profile.rps_limit,
        "burst_limit": profile.burst_limit,
        "unlisted": profile.unlisted,
        "routing": _routing(profile.routing),
        "cache": attrs.asdict(profile.cache),
        **access_told(profile.access),
        "chains": {chain.key: _chain(chain) for chain in profile.chains},
    }


def _chain(chain: Chain) -> dict[str, Value]:
    return {
        "chain_id": chain.chain_id,
        "name": chain.name,
        "aliases": chain.aliases,
        "block_time_ms": chain.block_time_ms,
        "monitoring": {
            "probe_interval_ms": chain.monitoring.probe_interval_ms,
            "lag_alert_threshold_blocks": chain.monitoring.lag_alert_threshold_blocks,
        },
        "selection": {
            "max_lag_blocks": chain.selection.max_lag_blocks,
            "archival_threshold": chain.selection.archival_threshold,
        },
        "websocket": {
            "subscribe_new_heads": chain.websocket.subscribe_new_heads,
            "new_heads_timeout_ms": chain.websocket.new_heads_timeout_ms,
            "failover": {
                "max_backfill_blocks": chain.websocket.max_backfill_blocks,
                "backfill_timeout_ms": chain.websocket.backfill_timeout_ms,
            },
            "feeds": chain.websocket.feeds,
            "conflate_heads": chain.websocket.conflate_heads,
        },
        "ui-topology": {"color": chain.topology.color, "size": chain.topology.size},
        "routing": _routing(chain.routing),
        "providers": [_provider(provider) for provider in chain.providers],
    }


def _provider(provider: Provider) -> dict[str, Value]:
    return {
        "id": provider.id,
        "name": provider.name,
        "priority": provider.priority,
        "url": None if provider.url is None else str(provider.url),
        "ws_url": None if provider.ws_url is None else str(provider.ws_url),
        "archival": provider.archival,
        "subscribe_new_heads": provider.subscribe_new_heads,
        "sharing_mode": provider.sharing_mode.value,
        "headers": {name: str(value) for name, value in provider.headers.items()},
        "capabilities": _capabilities(provider.capabilities),
        "limits": {
            "rps": provider.allowance.rps,
            "daily": provider.allowance.daily,
            "weights": provider.allowance.weights,
        },
    }


def _capabilities(capabilities: Capabilities) -> dict[str, Value]:
    limits = capabilities.limits
    return {
        "unsupported_categories": capabilities.unsupported_categories,
        "unsupported_methods": capabilities.unsupported_methods,
        "limits": {
            "max_block_range": limits.max_block_range,
            "max_block_age": limits.max_block_age,
            "block_age_methods": limits.block_age_methods,
        },
        "error_rules": [
            {"category": rule.category}
            | ({} if rule.code is None else {"code": rule.code})
            | ({"message_contains": rule.message_contains} if rule.message_contains else {})
            for rule in capabilities.error_rules
        ],
    }


def _routing(routing: Routing) -> dict[str, Value]:
    overrides = {method: _override(override) for method, override in routing.method_overrides.items()}
    return {
        "default_strategy": routing.default_strategy.value,
        "method_overrides": overrides,
        "split_logs": routing.split_logs,
        "hedge": _hedge(routing.hedge),
        "broadcast": routing.broadcast,
        "coalesce": routing.coalesce,
    }


def _hedge(policy: HedgePolicy) -> dict[str, Value]:
    """`enabled` is left out where the strategy decides."""
    return {name: value for name, value in attrs.asdict(policy).items() if value is not None}


def _override(override: MethodOverride) -> dict[str, Value]:
    strategy = None if override.strategy is None else override.strategy.value
    told: dict[str, Value] = {"strategy": strategy, "providers": override.providers, "timeout_ms": override.timeout_ms}
    if override.hedge is not None:
        told["hedge"] = {name: value for name, value in _hedge(override.hedge).items() if name != "budget"}
    return told


def _lines(mapping: Mapping[str, Value], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        yield from _entry(f"{indent}{_word(key)}:", value, indent + "  ")


def _entry(head: str, value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _lines(value, indent)
    elif isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value):
        yield head
        for item in value:
            yield from _item(item, indent)
    else:
        yield f"{head} {_inline(value)}"


def _item(item: Value, indent: str) -> Iterator[str]:
    """A mapping as a list item: its first line carries the dash."""
    assert isinstance(item, Mapping)
    first, *rest = _lines(item, indent + "  ")
    yield f"{indent}- {first.strip()}"
    yield from rest


def _inline(value: Value) -> str:
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)


def _word(text: str) -> str:
    """Plain where nobody could read it as anything else, in double quotes (JSON's are YAML's) otherwise."""
    if _SAFE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)

"""`routing`: the default strategy and what single methods do differently, per profile and per chain.

A chain's section is laid over the profile's key by key: what it leaves out, down to one key of one method, is the
profile's. Provider names are checked where they are written: a chain's must be its own; a profile's must be known to
some chain, and each chain keeps those it has (none left means all, as always).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import attrs

from lasso_trio.config.document import Scalar, Table
from lasso_trio.config.fields import Fields, found
from lasso_trio.config.profile import STRATEGY_NAMES, HedgePolicy, MethodOverride, Routing, Strategy
from lasso_trio.config.report import nearest
from lasso_trio.config.sections.hedge import METHOD_HEDGE_KEYS, NOTHING, HedgeDraft, laid_over, read_hedge

T = TypeVar("T")

ROUTING_KEYS: Final = ("default_strategy", "method_overrides", "split_logs", "hedge", "broadcast", "coalesce")
OVERRIDE_KEYS: Final = ("strategy", "providers", "timeout_ms", "hedge")


@attrs.frozen
class RoutingDraft:
    """One `routing` section as written; None and missing methods are left to the section beneath."""

    default_strategy: Strategy | None = None
    method_overrides: Mapping[str, MethodOverride] = attrs.field(factory=dict)
    split_logs: bool | None = None
    hedge: HedgeDraft = NOTHING
    method_hedges: Mapping[str, HedgeDraft] = attrs.field(factory=dict)
    broadcast: int | None = None
    coalesce: bool | None = None
    mentions: tuple[Scalar, ...] = ()
    """Every provider name that is mentioned, for the check against those that exist."""


def read_routing(owner: Fields) -> RoutingDraft:
    fields = owner.section("routing", ROUTING_KEYS)
    if fields is None:
        return RoutingDraft()
    sections = dict(_override_sections(fields))
    return RoutingDraft(
        default_strategy=_strategy(fields, "default_strategy"),
        method_overrides={method: _override(section) for method, section in sections.items()},
        split_logs=fields.boolean("split_logs", True) if "split_logs" in fields else None,
        hedge=read_hedge(fields),
        method_hedges={
            method: read_hedge(section, METHOD_HEDGE_KEYS) for method, section in sections.items() if "hedge" in section
        },
        broadcast=fields.integer("broadcast", None, least=1),
        coalesce=fields.boolean("coalesce", True) if "coalesce" in fields else None,
        mentions=tuple(name for section in sections.values() for name in section.texts("providers")),
    )


def check_mentions(draft: RoutingDraft, known: Mapping[str, object] | frozenset[str], owner: Fields) -> None:
    for name in draft.mentions:
        if name.text not in known:
            what = f"'providers' names {name.shown!r}, which is not a provider of {owner.kind}"
            owner.report.add(name.line, what, nearest(name.shown, known))


def settled(profile: RoutingDraft, chain: RoutingDraft, providers: frozenset[str]) -> Routing:
    """The effective routing of a chain that has `providers`. For the profile itself, the chain's draft is empty."""
    usual = Routing()
    methods = dict.fromkeys([*profile.method_overrides, *chain.method_overrides])
    return Routing(
        default_strategy=_first(chain.default_strategy, profile.default_strategy, usual.default_strategy),
        split_logs=_first(chain.split_logs, profile.split_logs, usual.split_logs),
        hedge=laid_over(profile.hedge, chain.hedge),
        broadcast=_first(chain.broadcast, profile.broadcast, usual.broadcast),
        coalesce=_first(chain.coalesce, profile.coalesce, usual.coalesce),
        method_overrides={
            method: attrs.evolve(
                _laid_over(profile.method_overrides.get(method), chain.method_overrides.get(method), providers),
                hedge=_method_hedge(profile, chain, method),
            )
            for method in methods
        },
    )


def _first(above: T | None, below: T | None, default: T) -> T:
    if above is not None:
        return above
    return default if below is None else below


def _method_hedge(profile: RoutingDraft, chain: RoutingDraft, method: str) -> HedgePolicy | None:
    own = [draft.method_hedges[method] for draft in (profile, chain) if method in draft.method_hedges]
    return laid_over(profile.hedge, chain.hedge, *own) if own else None


def _laid_over(below: MethodOverride | None, above: MethodOverride | None, providers: frozenset[str]) -> MethodOverride:
    below, above = below or MethodOverride(), above or MethodOverride()
    names = above.providers or below.providers
    return MethodOverride(
        strategy=above.strategy or below.strategy,
        providers=tuple(name for name in names if name in providers),
        timeout_ms=above.timeout_ms or below.timeout_ms,
    )


def _override_sections(fields: Fields) -> Iterator[tuple[str, Fields]]:
    table = fields.table("method_overrides")
    for method, node in () if table is None else table.pairs:
        if not method.text.strip() or any(character.isspace() for character in method.text):
            fields.report.add(method.line, f"{method.text!r} is not the name of a method")
        if isinstance(node, Table):
            yield method.text, Fields(node, f"override of {method.text}", OVERRIDE_KEYS, fields.report)
        else:
            what = f"the override of {method.text!r} must hold `key: value` lines, found {found(node)}"
            fields.report.add(method.line, what)


def _override(fields: Fields) -> MethodOverride:
    names = [name.text for name in fields.texts("providers")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        fields.complain("providers", f"'providers' names {name!r} more than once")
    return MethodOverride(_strategy(fields, "strategy"), tuple(names), fields.integer("timeout_ms", None, least=1))


def _strategy(fields: Fields, key: str) -> Strategy | None:
    choices: Mapping[str, Strategy | None] = STRATEGY_NAMES
    return fields.choice(key, choices, None)

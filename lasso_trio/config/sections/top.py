"""The outermost section: the profile itself, from its front matter and body taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lasso_trio.config.document import Table
from lasso_trio.config.fields import Fields, found
from lasso_trio.config.profile import CachePolicy, Profile
from lasso_trio.config.report import Report
from lasso_trio.config.sections.access import ACCESS_KEYS, read_access
from lasso_trio.config.sections.chain import CHAIN_KEYS, ChainDraft, read_chain
from lasso_trio.config.sections.names import check_collisions, check_name
from lasso_trio.config.sections.routing import RoutingDraft, check_mentions, read_routing, settled

PUBLIC: Final = "public"
PROFILE_KEYS: Final = (
    "name",
    "slug",
    "logo",
    "type",
    "rps_limit",
    "default_rps_limit",
    "burst_limit",
    "default_burst_limit",
    "unlisted",
    "routing",
    "cache",
    *ACCESS_KEYS,
    "chains",
)
CACHE_KEYS: Final = ("enabled", "max_bytes", "price_ms")


def read_profile(document: Table, base_name: str | None, report: Report) -> Profile:
    """The profile in a file called `base_name`; its slug, when given, must be that name (None: any slug will do)."""
    fields = Fields(document, "profile", PROFILE_KEYS, report)
    slug = _slug(fields, base_name)
    drafts = _chains(fields, slug)
    check_collisions([draft.names for draft in drafts], report)
    routing = read_routing(fields)
    known = frozenset[str]().union(*(draft.provider_ids for draft in drafts))
    check_mentions(routing, known, fields)
    return Profile(
        slug=slug,
        name=fields.text("name", slug),
        chains=tuple(draft.settle(routing) for draft in drafts),
        logo=fields.text("logo", None),
        type=fields.text("type", None),
        rps_limit=fields.integer(fields.first_of("rps_limit", "default_rps_limit"), 100, least=1),
        burst_limit=fields.integer(fields.first_of("burst_limit", "default_burst_limit"), 500, least=1),
        unlisted=fields.boolean("unlisted", False),
        routing=settled(routing, RoutingDraft(), known),
        cache=_cache(fields.section("cache", CACHE_KEYS)),
        access=read_access(fields, tuple(_names(drafts))),
        source=report.file,
    )


def _names(drafts: Iterable[ChainDraft]) -> Iterator[str]:
    for draft in drafts:
        yield from (name for name, _ in draft.names.names)
        if draft.names.chain_id is not None:
            yield str(draft.names.chain_id)


def _cache(fields: Fields | None) -> CachePolicy:
    if fields is None:
        return CachePolicy()
    usual = CachePolicy()
    return CachePolicy(
        enabled=fields.boolean("enabled", True),  # who writes the section wants it
        max_bytes=fields.integer("max_bytes", usual.max_bytes, least=65_536),
        price_ms=fields.integer("price_ms", usual.price_ms, least=0),
    )


def _slug(fields: Fields, base_name: str | None) -> str:
    slug = fields.text("slug", base_name or PUBLIC)
    check_name("slug", slug, fields.line("slug"), fields.report)
    if base_name is not None and slug != base_name:
        fields.complain("slug", f"slug {slug!r} must equal the file's name {base_name!r}")
    return slug


def _chains(fields: Fields, slug: str) -> list[ChainDraft]:
    fields.require("chains")
    table = fields.table("chains")
    if table is not None and not table.pairs:
        fields.complain("chains", "'chains' must hold at least one chain")
    drafts = []
    for key, node in () if table is None else table.pairs:
        if isinstance(node, Table):
            chain = Fields(node, f"chain {key.text!r}", CHAIN_KEYS, fields.report)
            drafts.append(read_chain(key, chain, slug))
        else:
            fields.report.add(key.line, f"chain {key.text!r} must hold `key: value` lines, found {found(node)}")
    return drafts

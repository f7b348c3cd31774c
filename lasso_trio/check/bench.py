"""What stages work with: the order, the facts so far, where the node is. `Missing` is how a stage says it cannot."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import attrs

from lasso_trio.access.gates import wall_clock
from lasso_trio.check.caller import Caller
from lasso_trio.check.client import is_let_in, limits_of
from lasso_trio.check.environment import LOCAL
from lasso_trio.check.facts import Facts, Gap
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.order import Order
from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet

USUAL_RPS: Final = 100
USUAL_BURST: Final = 500
"""What a profile has that says nothing: assumed of one that is not here."""


class Missing(Exception):
    """A stage cannot find out: `gap` says why."""

    def __init__(self, why: str, todo: str = "", *, unable: bool = False) -> None:
        super().__init__(why)
        self.gap = Gap(why, todo, unable)


@attrs.define(eq=False)
class Bench:
    """`remarks`: what must be said at the end whatever the rows came to."""

    order: Order
    facts: Facts
    caller: Caller
    mark: str = attrs.field(factory=lambda: f"lasso-check-{token_hex(6)}")
    """How the request ids of our own calls begin."""
    remarks: list[str] = attrs.field(factory=list)
    tell: Callable[[str], object] = lambda _: None
    """Told what is being done."""

    @property
    def url(self) -> str:
        assert self.order.url is not None, "a stage that asks the node ran without one"
        return self.order.url

    @property
    def ops(self) -> str:
        """Where operators' pages are."""
        if self.order.ops_url is not None:
            return self.order.ops_url
        settings = self.facts.setup.settings
        if settings is None or not settings.ops_port:
            return self.url
        return _with_port(self.url, settings.ops_port)

    @property
    def public(self) -> str | None:
        """As given, or as the environment has it, unless that is only this machine."""
        if self.order.public_url is not None:
            return self.order.public_url
        settings = self.facts.setup.settings
        if settings is None or not self.facts.setup.get("PHX_HOST") or settings.public_host in LOCAL:
            return None
        return f"{settings.public_scheme}://{settings.public_host}"

    @property
    def profile(self) -> Profile | None:
        """Whose limits hold, as far as it is among the profiles here."""
        profiles = self.facts.setup.profiles
        if not profiles:
            return None
        if self.order.profile is not None:
            return ProfileSet(profiles).find(self.order.profile)
        listed = [slug for row in self._chains[:1] for slug in row.get("profiles", ())[:1]]  # the node's default first
        return profiles.get(listed[0]) if listed else ProfileSet(profiles).default

    @property
    def _chains(self) -> list[dict[str, Any]]:
        """As the node lists them."""
        rows = None if self.facts.node is None else self.facts.node.chains.row.get("chains")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def limits(self) -> tuple[int, int]:
        """Calls a second and burst that we have at the profile that is called."""
        found = self.profile
        if found is None:
            return USUAL_RPS, USUAL_BURST
        return limits_of(found, self.order.header_pairs, wall_clock())

    @property
    def narrowest(self) -> tuple[str | None, tuple[int, int]]:
        """The profile that limits us first, and how: as named, else of those here that let us in. Raises Missing."""
        profiles, headers, now = self.facts.setup.profiles, self.order.header_pairs, wall_clock()
        if self.order.profile is not None or not profiles:
            return self.order.profile, self.limits
        limits = {p.slug: limits_of(p, headers, now) for p in profiles.values() if is_let_in(p, headers, now)}
        if not limits:
            raise Missing("no profile here lets us in", "--header 'X-Lasso-Api-Key: …' shows a key")
        return min(limits.items(), key=lambda item: sum(item[1]))

    @property
    def chain(self) -> str:
        """As given, or the first one that the node lists for the profile. Raises Missing."""
        if self.order.chain is not None:
            return self.order.chain
        return self.chain_of(self.order.profile)

    def chain_of(self, slug: str | None) -> str:
        """Raises Missing when the node lists none."""
        for row in self._chains:
            if slug is None or slug in row.get("profiles", ()):
                return str(row.get("chain_name"))
        local = self.facts.setup.profiles.get(slug or "")
        if local is not None:  # it may be unlisted
            return local.chains[0].key
        raise Missing(f"the node lists no chain of {slug or 'any profile'}", "see /api/chains", unable=True)

    def rpc(self, base: str, strategy: str = "", profile: str | None = None) -> str:
        """Where calls go. Raises Missing."""
        return base + self.path(strategy, profile)

    def path(self, strategy: str = "", profile: str | None = None) -> str:
        slug = profile or self.order.profile
        chain = self.chain if profile is None else self.chain_of(profile)
        return path_of(slug, chain, strategy)

    async def metric_page(self) -> MetricPage:
        """Raises Missing."""
        page = await self.caller.get(f"{self.ops}/metrics", {"accept": "text/plain"})
        if page.status != 200:
            raise Missing(f"{page.url}: {page.said}", "with LASSO_OPS_PORT, give --ops-url")
        try:
            return MetricPage.of(page.body.decode())
        except (ValueError, KeyError) as fault:
            raise Missing(f"{page.url} is no page of metrics: {fault}") from fault


def path_of(slug: str | None, chain: str, strategy: str = "") -> str:
    """Of a call."""
    parts = ["", "rpc", *(["profile", slug] if slug else []), *([strategy] if strategy else []), chain]
    return "/".join(quote(part, safe="") for part in parts)


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return urlunsplit((parts.scheme, f"{host}:{port}", "", "", ""))

"""`hedge`: when a late call is raced, for a profile, a chain, or one method of either.

What a section leaves out is taken from the one beneath it: profile, chain, the profile's method, the chain's method.
`hedge: off` and `hedge: on` are short for `enabled`. Extra calls are budgeted per profile and chain, so a method has no
`budget` of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from typing import Final

import attrs

from lasso_trio.config.document import Scalar
from lasso_trio.config.fields import Fields
from lasso_trio.config.profile import HedgePolicy

METHOD_HEDGE_KEYS: Final = ("enabled", "quantile", "min_ms", "max_ms", "max_extra")
HEDGE_KEYS: Final = (*METHOD_HEDGE_KEYS, "budget")
_WORDS: Final = {"off": False, "on": True}
_MOST_EXTRA: Final = 2


@attrs.frozen
class HedgeDraft:
    """One `hedge` as written; None is left to the section beneath."""

    enabled: bool | None = None
    quantile: float | None = None
    min_ms: int | None = None
    max_ms: int | None = None
    max_extra: int | None = None
    budget: float | None = None


NOTHING: Final = HedgeDraft()


def read_hedge(owner: Fields, keys: Collection[str] = HEDGE_KEYS) -> HedgeDraft:
    """The `hedge` of `owner`: a mapping, or the word `on` or `off`."""
    node = owner.node("hedge")
    if isinstance(node, Scalar) and node.text in _WORDS:
        return HedgeDraft(enabled=_WORDS[node.text])
    fields = owner.section("hedge", keys)
    if fields is None:
        return NOTHING
    quantile = fields.share("quantile", -1.0)
    if "quantile" in fields and not 0.5 <= quantile < 1 and quantile >= 0:
        fields.complain("quantile", "'quantile' must be at least 0.5 and below 1")
    draft = HedgeDraft(
        enabled=fields.boolean("enabled", True) if "enabled" in fields else None,
        quantile=quantile if quantile >= 0 else None,
        min_ms=fields.integer("min_ms", None, least=1),
        max_ms=fields.integer("max_ms", None, least=1),
        max_extra=fields.integer("max_extra", None, least=0),
        budget=fields.share("budget", 0.0) if "budget" in fields else None,
    )
    _check(fields, draft)
    return draft


def _check(fields: Fields, draft: HedgeDraft) -> None:
    if draft.max_extra is not None and draft.max_extra > _MOST_EXTRA:
        fields.complain("max_extra", f"'max_extra' must be at most {_MOST_EXTRA}: a call has three dispatches")
    if draft.min_ms is not None and draft.max_ms is not None and draft.min_ms > draft.max_ms:
        fields.complain("max_ms", "'max_ms' must not be below 'min_ms'")


def laid_over(*drafts: HedgeDraft) -> HedgePolicy:
    """The policy of `drafts`, the last of which says it first; what none of them says is the default."""
    return reduce(_over, drafts, HedgePolicy())


def _over(policy: HedgePolicy, draft: HedgeDraft) -> HedgePolicy:
    given = {name: value for name, value in attrs.asdict(draft).items() if value is not None}
    return attrs.evolve(policy, **given)

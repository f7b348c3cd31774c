"""A provider's `limits`: what may be spent there, per second and per day, and what a method costs."""

from __future__ import annotations

from typing import Final

from lasso_trio.config.fields import Fields
from lasso_trio.config.profile import Allowance

ALLOWANCE_KEYS: Final = ("rps", "daily", "weights")


def read_allowance(fields: Fields | None) -> Allowance:
    if fields is None:
        return Allowance()
    return Allowance(
        rps=fields.integer("rps", None, least=1),
        daily=fields.integer("daily", None, least=1),
        weights=_weights(fields),
    )


def _weights(fields: Fields) -> dict[str, int]:
    """Any method name, unknown ones too; 0 is free."""
    table = fields.table("weights")
    if table is None:
        return {}
    names = [name.text for name, _ in table.pairs]
    weights = Fields(table, "weights", names, fields.report)
    return {name: weights.integer(name, 1, least=0) for name in names}

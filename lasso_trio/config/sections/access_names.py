"""`methods` and `chains`: which names may be used, as a list, or as `allow` and `deny`."""

from __future__ import annotations

from typing import Final

from lasso_trio.config.access import ANY, Names
from lasso_trio.config.document import Items
from lasso_trio.config.fields import Fields

NAMES_KEYS: Final = ("allow", "deny")


def read_names(fields: Fields, key: str) -> Names:
    """Those under `key`: a list is short for `allow`. Absent: all."""
    if key not in fields:
        return ANY
    if isinstance(fields.node(key), Items):
        return Names(_globs(fields, key))
    section = fields.section(key, NAMES_KEYS)
    if section is None:
        return ANY
    allow = _globs(section, "allow") if "allow" in section else ANY.allow
    return Names(allow, _globs(section, "deny"))


def _globs(fields: Fields, key: str) -> tuple[str, ...]:
    return tuple(scalar.text for scalar in fields.texts(key))

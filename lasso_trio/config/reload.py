"""What one configuration changes in another, and what came of an attempt to exchange them.

Pure: values in, values out. Profiles, chains and providers are named by their path, `public/ethereum/alchemy`. Changes
tell which fields differ and never what is in them: that may be a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.errors import Problem

ORDER: Final = "order"
"""The providers of a chain are the same, in another order."""

_Part = Profile | Chain | Provider


@attrs.frozen
class Changes:
    """Paths. What is added or removed is named alone, without what is in it. `changed`: path to names of fields."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def lines(self) -> list[str]:
        """For people: `+ a/b`, `- a/b`, `~ a/b: url, priority`."""
        return [
            *(f"+ {path}" for path in self.added),
            *(f"- {path}" for path in self.removed),
            *(f"~ {path}: {', '.join(fields)}" for path, fields in self.changed.items()),
        ]


@attrs.frozen
class ReloadResult:
    """`accepted` False: the old configuration serves on, and `problems` says why. `generation`: the one that serves."""

    accepted: bool
    generation: int
    changes: Changes = Changes()
    problems: tuple[Problem, ...] = ()


def diff(before: ProfileSet, after: ProfileSet) -> Changes:
    """What has to be done to `before` to get `after`. Where a file lies is no part of it."""
    added: list[str] = []
    removed: list[str] = []
    changed: dict[str, tuple[str, ...]] = {}
    for path, old, new in _pairs("", before.profiles, after.profiles):
        if old is None:
            added.append(path)
        elif new is None:
            removed.append(path)
        elif fields := (*_fields(old, new), *_reordered(old, new)):
            changed[path] = fields
    return Changes(tuple(added), tuple(removed), changed)


def _pairs(
    prefix: str, before: Mapping[str, _Part], after: Mapping[str, _Part]
) -> Iterator[tuple[str, _Part | None, _Part | None]]:
    """All parts under their paths; those inside of a part only where it is in both."""
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        yield prefix + name, old, new
        if old is not None and new is not None:
            yield from _pairs(f"{prefix}{name}/", _inner(old), _inner(new))


def _inner(part: _Part) -> Mapping[str, _Part]:
    if isinstance(part, Profile):
        return {chain.key: chain for chain in part.chains}
    if isinstance(part, Chain):
        return {provider.id: provider for provider in part.providers}
    return {}


_NOT_OWN: Final = frozenset({"chains", "providers", "source"})


def _fields(old: _Part, new: _Part) -> Iterator[str]:
    kind: Any = type(old)
    for field in attrs.fields(kind):
        if field.name not in _NOT_OWN and getattr(old, field.name) != getattr(new, field.name):
            yield field.name


def _reordered(old: _Part, new: _Part) -> Iterable[str]:
    if isinstance(old, Chain) and isinstance(new, Chain):
        was, is_ = _ids(old.providers), _ids(new.providers)
        if [id_ for id_ in was if id_ in is_] != [id_ for id_ in is_ if id_ in was]:
            return (ORDER,)
    return ()


def _ids(providers: Sequence[Provider]) -> list[str]:
    return [provider.id for provider in providers]

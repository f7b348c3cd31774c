"""The profiles of one configuration, and how names in URLs find them.

Every name is looked up once per call, so the tables are built when the set is, and the set never changes: a reload
builds another one. `default` is what people write for `public`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from lasso_trio.config.profile import Chain, Profile

DEFAULT_NAME: Final = "default"
PUBLIC: Final = "public"


def _frozen(profiles: Mapping[str, Profile]) -> Mapping[str, Profile]:
    return MappingProxyType(dict(profiles))


@attrs.frozen
class ProfileSet:
    """At least one profile, by slug. Raises ValueError when empty."""

    profiles: Mapping[str, Profile] = attrs.field(converter=_frozen, validator=attrs.validators.min_len(1))
    _chains: Mapping[str, Mapping[str, Chain]] = attrs.field(init=False, repr=False, eq=False)

    @_chains.default
    def _index(self) -> Mapping[str, Mapping[str, Chain]]:
        return {slug: chain_index(profile) for slug, profile in self.profiles.items()}

    @classmethod
    def of(cls, profiles: Iterable[Profile]) -> ProfileSet:
        return cls({profile.slug: profile for profile in profiles})

    @property
    def default(self) -> Profile:
        """`public` when there is one, otherwise the first."""
        return self.profiles.get(PUBLIC) or next(iter(self.profiles.values()))

    def find(self, slug: str) -> Profile | None:
        """The profile called `slug`; `default` is the default profile unless a file is really called that."""
        profile = self.profiles.get(slug)
        return self.default if profile is None and slug == DEFAULT_NAME else profile

    def find_chain(self, profile: Profile, text: str) -> Chain | None:
        """By decimal id first, then by key or alias, case-sensitively."""
        return self._chains[profile.slug].get(text)


def chain_index(profile: Profile) -> Mapping[str, Chain]:
    """Every name of every chain; a decimal id hides a name that happens to be the same digits."""
    names = {name: chain for chain in profile.chains for name in (chain.key, *chain.aliases)}
    return names | {str(chain.chain_id): chain for chain in profile.chains}

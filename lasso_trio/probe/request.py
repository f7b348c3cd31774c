"""What was asked for on the command line, checked: which targets, which checks, which output.

Everything that is wrong becomes one ConfigError, before anything is asked. URLs need no profiles, so a broken profile
does not stand in the way of a URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.errors import ConfigError, Problem
from lasso_trio.probe.asker import Manners
from lasso_trio.probe.run import ALL_CHECKS, Check, Order
from lasso_trio.probe.target import Target, all_targets, chain_targets, url_target, usage

STDOUT: Final = "-"


@attrs.frozen
class Request:
    """The options as click read them. `timeout` and `wait` in seconds, `rps` in calls. Raises ConfigError."""

    targets: tuple[str, ...] = ()
    slug: str | None = None
    everything: bool = False
    only: tuple[str, ...] = ()
    level: str = "standard"
    timeout: float = 10.0
    wait: float = 15.0
    samples: int = 20
    rps: float = 20.0
    as_json: bool = False
    write: str | None = None

    def __attrs_post_init__(self) -> None:
        if problems := tuple(self._problems()):
            raise ConfigError([Problem("lasso probe", None, problem) for problem in problems])

    @property
    def needs_profiles(self) -> bool:
        return self.everything or any(not is_url(target) for target in self.targets)

    @property
    def order(self) -> Order:
        return Order(self._checks, self.level, Manners(self.rps, self.timeout, self.samples, self.wait))

    def resolve(self, profiles: Mapping[str, Profile]) -> tuple[Target, ...]:
        """Whom to ask; nobody twice. Raises ConfigError."""
        found = [target for text in self.targets for target in self._resolve(text, profiles)]
        if self.everything:
            found += all_targets(self._profile(profiles))
        return tuple({(target.url, target.ws_url, tuple(target.headers.items())): target for target in found}.values())

    def execute(self, profiles: Mapping[str, Profile]) -> int:
        """Probe and print; the exit code. Raises ConfigError, and OSError when the file cannot be written."""
        from lasso_trio.probe.command import Output, execute

        return execute(self.resolve(profiles), self.order, Output(self.as_json, self.write))

    @property
    def _checks(self) -> frozenset[Check]:
        return frozenset(Check(name) for name in self._names) or ALL_CHECKS

    @property
    def _names(self) -> list[str]:
        return [name.strip() for text in self.only for name in text.split(",") if name.strip()]

    def _problems(self) -> list[str]:
        problems = []
        if not self.targets and not self.everything:
            problems.append("name a chain or a URL, or say --all for every chain of the profile")
        if unknown := [name for name in self._names if name not in ALL_CHECKS]:
            problems.append(f"no check {', '.join(map(repr, unknown))}; there are {', '.join(Check)}")
        if self.as_json and self.write == STDOUT:
            problems.append("--json and --write - both want stdout; the JSON holds the proposal already")
        return problems

    def _resolve(self, text: str, profiles: Mapping[str, Profile]) -> tuple[Target, ...]:
        if is_url(text):
            return (url_target(text),)
        return chain_targets(profiles.values() if self.slug is None else [self._profile(profiles)], text)

    def _profile(self, profiles: Mapping[str, Profile]) -> Profile:
        known = ProfileSet(profiles)
        found = known.default if self.slug is None else known.find(self.slug)
        if found is None:
            raise usage(f"no profile {self.slug!r}; there are {', '.join(profiles)}")
        return found


def is_url(text: str) -> bool:
    return "://" in text

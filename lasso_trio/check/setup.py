"""What a node would start with here: the environment, the settings made of it, and the profiles. Read once, offline.

Nothing is raised for what is wrong: it is what the checklist is about. Values of variables stay in `environ`, which is
not for showing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from lasso_trio.backup import folder
from lasso_trio.config.loader import load_profiles
from lasso_trio.config.profile import Profile
from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Mode, Settings
from lasso_trio.errors import ConfigError, Problem

UNSET = "environment variable "
"""How a problem begins that is a variable's and not the file's."""


@attrs.frozen
class Setup:
    """`settings` is None when they cannot be read, `profiles` is empty when any of them cannot."""

    environ: Mapping[str, str] = attrs.field(repr=False)
    directory: Path
    settings: Settings | None = None
    settings_problems: tuple[Problem, ...] = ()
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)
    profile_problems: tuple[Problem, ...] = ()
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    """The profiles' directory, by file name."""

    @classmethod
    def read(cls, environ: Mapping[str, str], directory: Path) -> Setup:
        """Blocks for as long as reading some files takes."""
        setup = cls(environ, directory)
        try:
            setup = attrs.evolve(setup, settings=Settings.from_env(environ))
        except ConfigError as fault:
            setup = attrs.evolve(setup, settings_problems=fault.problems)
        try:
            setup = attrs.evolve(setup, files=folder.read(directory))
            return attrs.evolve(setup, profiles=load_profiles(directory, environ))
        except ConfigError as fault:
            return attrs.evolve(setup, profile_problems=fault.problems)
        except OSError as fault:
            return attrs.evolve(setup, profile_problems=(Problem(str(directory), None, f"cannot be read: {fault}"),))

    def get(self, name: str) -> str:
        """A variable; empty when it is not set."""
        return self.environ.get(name, "").strip()

    @property
    def is_prod(self) -> bool:
        return self.get("LASSO_ENV").lower() == Mode.PROD

    @property
    def admin_token(self) -> Secret | None:
        return Secret(self.get("LASSO_ADMIN_TOKEN")) if self.get("LASSO_ADMIN_TOKEN") else None

    def complaint(self, *names: str) -> str | None:
        """What the settings' reader says of any of these variables."""
        return next((p.what for p in self.settings_problems if any(name in p.what for name in names)), None)

    @property
    def unset(self) -> tuple[Problem, ...]:
        """Problems of profiles that are a missing variable's."""
        return tuple(problem for problem in self.profile_problems if problem.what.startswith(UNSET))

    @property
    def unsound(self) -> tuple[Problem, ...]:
        """Problems of profiles that are the files' own."""
        return tuple(problem for problem in self.profile_problems if not problem.what.startswith(UNSET))

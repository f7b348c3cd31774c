"""Profile files on disk: which are read, and all their mistakes at once.

The order of work for one file: text, tree with lines (`document`), variables put in (`environment`), fields read and
checked (`sections`). Nothing partly good leaves this module: either every file is right, or one ConfigError lists every
problem of every file. Reading is slow (milliseconds per hundred lines) and blocking: at start or in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lasso_trio.config.document import read_document
from lasso_trio.config.environment import substitute
from lasso_trio.config.profile import Profile
from lasso_trio.config.report import Report
from lasso_trio.config.sections.top import read_profile
from lasso_trio.errors import ConfigError, Problem

SUFFIXES: Final = (".yml", ".yaml")
USUAL_DIRECTORY: Final = Path("profiles")


def load_profiles(directory: Path, environ: Mapping[str, str]) -> dict[str, Profile]:
    """Every profile of `directory` by slug, in the order of file names. Raises ConfigError."""
    profiles: dict[str, Profile] = {}
    problems: list[Problem] = []
    for path in profile_files(directory):
        try:
            profile = load_profile_file(path, environ)
        except ConfigError as fault:
            problems.extend(fault.problems)
            continue
        if profile.slug in profiles:
            other = profiles[profile.slug].source
            problems.append(Problem(str(path), None, f"{other} has the slug {profile.slug!r} too"))
        profiles.setdefault(profile.slug, profile)
    if problems:
        raise ConfigError(problems)
    return profiles


def load_profile_file(path: Path, environ: Mapping[str, str]) -> Profile:
    """The profile in one file. Raises ConfigError."""
    return load_profile_text(_read(path), str(path), environ)


def load_profile_text(text: str, file: str, environ: Mapping[str, str]) -> Profile:
    """The profile in `text`; `file` labels its problems, and its base name is the slug. Raises ConfigError.

    Under a label that is no YAML file's name (`<test>`) any slug may be given; without one it is `public`.
    """
    report = Report(file)
    profile = _profile(text, report, environ)
    if profile is None or report.problems:
        raise ConfigError(report.in_order())
    return profile


def profile_files(directory: Path) -> list[Path]:
    """The YAML files by name, without those that begin with `.` or `_`. Raises ConfigError when there are none."""
    try:
        found = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and path.name[0] not in "._")
    except OSError as fault:
        raise ConfigError([Problem(str(directory), None, f"cannot list profiles: {fault.strerror}")]) from fault
    if not found:
        raise ConfigError([Problem(str(directory), None, "holds no profile (*.yml)")])
    return found


def shipped_directory() -> Path:
    """The profiles that come with the package: inside it when installed, beside it in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_profiles"
    return inside if inside.is_dir() else package.parent / "profiles"


def usual_directory() -> Path:
    """Where profiles are when nobody says: `./profiles`, or the shipped ones when there is no such directory."""
    return USUAL_DIRECTORY if USUAL_DIRECTORY.is_dir() else shipped_directory()


def _profile(text: str, report: Report, environ: Mapping[str, str]) -> Profile | None:
    document = read_document(text, report)
    if document is None:
        return None
    base_name = _base_name(report.file)
    return read_profile(substitute(document, environ, report), base_name, report)


def _base_name(file: str) -> str | None:
    path = Path(file)
    return path.stem if path.suffix in SUFFIXES else None


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise ConfigError([Problem(str(path), None, f"cannot be read: {fault.strerror}")]) from fault
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise ConfigError([Problem(str(path), line, "is not UTF-8")]) from fault

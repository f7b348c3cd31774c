"""The directory of profiles as files: read for an archive, and put back from one.

Putting back is two steps: `plan` compares and changes nothing; `write` replaces file by file, each in one step under
its final name, so that a node that watches the directory never reads half a profile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs

from lasso_trio.backup.manifest import is_archivable
from lasso_trio.config.loader import SUFFIXES, profile_files
from lasso_trio.errors import LassoError


@attrs.frozen
class Plan:
    """What putting back would do, as names. `others` are in the directory and not in the archive: they stay."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    equal: tuple[str, ...]
    others: tuple[str, ...]


def read(directory: Path) -> dict[str, bytes]:
    """The directory's own files, without hidden ones and directories. Raises ConfigError when it holds no profile."""
    profile_files(directory)
    paths = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in paths}


def plan(directory: Path, files: Mapping[str, bytes]) -> Plan:
    kinds: dict[str, list[str]] = {"new": [], "changed": [], "equal": []}
    for name, data in files.items():
        path = directory / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise LassoError(f"{path} is not a plain file: it is not written over")
        kind = "new" if not path.exists() else "equal" if path.read_bytes() == data else "changed"
        kinds[kind].append(name)
    new, changed, equal = map(tuple, kinds.values())
    return Plan(new, changed, equal, _others(directory, files))


def write(directory: Path, files: Mapping[str, bytes], names: tuple[str, ...]) -> None:
    """Put `names` of `files` into place, for their owner alone to read where they are new."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = directory / name
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        put(path, files[name], mode)


def put(path: Path, data: bytes, mode: int) -> None:
    """In one step: who looks sees the file of before, or the whole new one. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _others(directory: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    if not directory.is_dir():
        return ()
    there = (path.name for path in directory.iterdir() if path.suffix in SUFFIXES and is_archivable(path.name))
    return tuple(sorted(name for name in there if name not in files))

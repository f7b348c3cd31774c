"""What an archive says of itself: its files with their hashes, and the variables that they need. Never a value.

Pure: the time is passed in. The manifest is the archive's first member, as JSON; a later version may add members to
it, and raises `FORMAT` when a reader of today would misunderstand it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lasso_trio.config.environment import required_variables
from lasso_trio.config.loader import SUFFIXES
from lasso_trio.errors import LassoError

FORMAT: Final = 1
MOST_FILES: Final = 1_000
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one file. Profiles have kilobytes."""
NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,127}\Z"
"""No path, nothing hidden: `.env` holds secrets and stays where it is."""

Count = Annotated[int, Meta(ge=0, le=MOST_BYTES)]


class BadArchive(LassoError):
    """Not an archive of ours, or not as it was made."""


class FileEntry(msgspec.Struct, frozen=True):
    """`size` in bytes, `sha256` in hex."""

    name: Annotated[str, Meta(pattern=NAME)]
    size: Count
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Manifest(msgspec.Struct, frozen=True):
    """`created`: ISO 8601, UTC. `variables`: names that the profiles refer to as `${NAME}`."""

    format: int
    created: str
    version: str
    files: Annotated[tuple[FileEntry, ...], Meta(max_length=MOST_FILES)]
    variables: tuple[str, ...]


def describe(files: Mapping[str, bytes], created: str, version: str) -> Manifest:
    """The manifest of `files` by name. Raises BadArchive for a file that none may hold."""
    for name, data in files.items():
        if not is_archivable(name):
            raise BadArchive(f"{name}: a name that no archive holds")
        if len(data) > MOST_BYTES:
            raise BadArchive(f"{name}: larger than {MOST_BYTES} bytes")
    if len(files) > MOST_FILES:
        raise BadArchive(f"more than {MOST_FILES} files")
    entries = tuple(FileEntry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items())
    return Manifest(FORMAT, created, version, entries, variables_of(files))


def is_archivable(name: str) -> bool:
    return re.match(NAME, name) is not None


def variables_of(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Sorted, each once, of everything that is a profile by its name."""
    texts = (data.decode("utf-8", "replace") for name, data in files.items() if name.endswith(SUFFIXES))
    return tuple(sorted({name for text in texts for name in required_variables(text)}))


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Raises BadArchive."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as fault:
        raise BadArchive(f"its manifest cannot be read: {fault}") from fault
    if manifest.format != FORMAT:
        raise BadArchive(f"its format is {manifest.format}, and this version reads {FORMAT}")
    if len({entry.name for entry in manifest.files}) != len(manifest.files):
        raise BadArchive("its manifest names a file twice")
    return manifest


def check(entry: FileEntry, data: bytes) -> None:
    """Raises BadArchive where `data` is not what the manifest says."""
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BadArchive(f"{entry.name} is not what was archived")

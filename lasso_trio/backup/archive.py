"""An archive's bytes: a gzipped tar of the manifest and the files it names. The same input gives the same bytes.

Reading trusts nothing: members are read one after the other, none is extracted by tarfile, and what is not named in the
manifest, not a plain file, too large or changed ends the reading.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from lasso_trio.backup import manifest as manifests
from lasso_trio.backup.manifest import MOST_BYTES, BadArchive, Manifest

MANIFEST: Final = "manifest.json"
FOLDER: Final = "profiles/"
MOST_UNPACKED: Final = 64 * 1024 * 1024
GZIP_BITS: Final = 31
"""zlib's word for "with gzip's head and checksum"."""


def pack(manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """`files`: exactly those of `manifest`."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, MANIFEST, manifests.encode(manifest))
        for entry in manifest.files:
            _add(tar, FOLDER + entry.name, files[entry.name])
    return gzip.compress(plain.getvalue(), mtime=0)


def unpack(data: bytes) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files by name, all checked. Raises BadArchive."""
    plain = _inflate(data)
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            members = _members(tar)
            name, text = next(members, ("", b""))
            if name != MANIFEST:
                raise BadArchive("it does not begin with a manifest")
            manifest = manifests.decode(text)
            return manifest, _files(manifest, members)
    except tarfile.TarError as fault:
        raise BadArchive(f"it is not a gzipped tar: {fault}") from fault


def _inflate(data: bytes) -> bytes:
    """Whole, its checksum compared; so nothing is taken from an archive that was cut off at a lucky place."""
    reader = zlib.decompressobj(wbits=GZIP_BITS)
    try:
        plain = reader.decompress(data, MOST_UNPACKED)
    except zlib.error as fault:
        raise BadArchive(f"it is not a gzipped tar: {fault}") from fault
    if not reader.eof or reader.unused_data:
        raise BadArchive("it is cut off, too large, or has something behind its end")
    return plain


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    tar.addfile(member, io.BytesIO(data))


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if not member.isreg() or member.size > MOST_BYTES:
            raise BadArchive(f"{member.name!r} is not a file that belongs there")
        stream = tar.extractfile(member)
        assert stream is not None
        yield member.name, stream.read()


def _files(manifest: Manifest, members: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    named = {FOLDER + entry.name: entry for entry in manifest.files}
    files: dict[str, bytes] = {}
    for name, data in members:
        entry = named.pop(name, None)
        if entry is None:
            raise BadArchive(f"{name!r} is not named in the manifest, or there twice")
        manifests.check(entry, data)
        files[entry.name] = data
    if named:
        raise BadArchive(f"{next(iter(named.values())).name} is missing")
    return files

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from lasso_trio.backup import archive
from lasso_trio.backup import manifest as manifests
from lasso_trio.backup.archive import MANIFEST, pack, unpack
from lasso_trio.backup.manifest import BadArchive, describe

FILES = {"one.yml": b"chains: {}\n", "keys.txt": b"k"}
DESCRIBED = describe(FILES, "2026-01-01T00:00:00+00:00", "1.2")
TEXT = manifests.encode(DESCRIBED)


def tar(*members: tuple[str, bytes | None]) -> bytes:
    """None: a link instead of a file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as whole:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(data or b"")
            whole.addfile(member, io.BytesIO(data or b""))
    return stream.getvalue()


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(DESCRIBED, FILES)) == (DESCRIBED, FILES)


def test_equal_files_make_equal_archives() -> None:
    assert pack(DESCRIBED, FILES) == pack(DESCRIBED, dict(FILES))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "cut off"),
        (b"not a tar", "gzipped"),
        (gzip.compress(b"not a tar either" * 100), "gzipped|begin with"),
        (pack(DESCRIBED, FILES)[:-20], "cut off"),
        (gzip.compress(bytes(archive.MOST_UNPACKED + 1)), "too large"),
        (pack(DESCRIBED, FILES) + b"more", "behind its end"),
        (tar(("profiles/one.yml", FILES["one.yml"])), "begin with a manifest"),
        (tar((MANIFEST, TEXT)), "missing"),
        (tar((MANIFEST, TEXT), ("profiles/one.yml", FILES["one.yml"])), "keys.txt is missing"),
        (tar((MANIFEST, TEXT), ("profiles/one.yml", b"chains: []\n")), "not what was archived"),
        (tar((MANIFEST, TEXT), ("profiles/other.yml", b"")), "not named"),
        (tar((MANIFEST, TEXT), ("../one.yml", FILES["one.yml"])), "not named"),
        (tar((MANIFEST, TEXT), *[("profiles/one.yml", FILES["one.yml"])] * 2), "there twice"),
        (tar((MANIFEST, TEXT), ("profiles/one.yml", None)), "does not|not a file"),
        (tar((MANIFEST, TEXT), ("profiles/one.yml", b" " * (manifests.MOST_BYTES + 1))), "not a file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_taken_from_an_archive_that_is_not_whole_and_ours(data: bytes, complaint: str) -> None:
    with pytest.raises(BadArchive, match=complaint):
        unpack(data)

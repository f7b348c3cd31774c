"""The dashboard's foreign files: fetched from npm, compared with what is written down, and laid into the package.

    python scripts/vendor_assets.py          compare the files with VENDOR.toml; needs no network (`nox -s vendor`)
    python scripts/vendor_assets.py fetch    fetch them anew: an archive must have the integrity, a file the hash, of
                                             VENDOR.toml
    python scripts/vendor_assets.py adopt    fetch, and write down the hashes of what came: after a change of `version`
                                             and `integrity` that a person has looked at

The files are never edited. They are committed, so that neither a user nor a build needs npm; a person who updates
one changes its version and its integrity (as `npm view NAME dist.integrity` tells it) and runs `adopt`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

VENDOR: Final = Path(__file__).resolve().parent.parent / "lasso_trio" / "dashboard" / "static" / "vendor"
LIST: Final = "VENDOR.toml"
Package = dict[str, Any]


class Mismatch(Exception):
    """What came is not what VENDOR.toml says."""


def packages(folder: Path) -> list[Package]:
    return list(tomllib.loads((folder / LIST).read_text(encoding="utf-8"))["package"])


def breaches(folder: Path) -> Iterator[str]:
    """What differs between the folder and its list, as printable lines: files changed, missing, or never listed."""
    listed = {file["to"]: file["sha256"] for package in packages(folder) for file in package["files"]}
    present = {path.name for path in folder.iterdir()} - {LIST}
    yield from (f"{name}: not in {LIST}" for name in sorted(present - listed.keys()))
    for name, wanted in listed.items():
        if name not in present:
            yield f"{name}: missing"
        elif sha256((folder / name).read_bytes()) != wanted:
            yield f"{name}: its sha256 is not the one in {LIST}"


def fetch(folder: Path, *, adopt: bool = False) -> None:
    """Lay the files of every package into `folder`. Raises Mismatch before anything of a package is written."""
    for package in packages(folder):
        with tempfile.TemporaryDirectory() as scratch:
            archive = download(package, Path(scratch))
            found = {file["to"]: member(archive, file["from"]) for file in package["files"]}
        for file in package["files"]:
            if adopt:
                write_down(folder / LIST, file["sha256"], sha256(found[file["to"]]))
            elif sha256(found[file["to"]]) != file["sha256"]:
                raise Mismatch(f"{package['name']}: {file['from']} has another sha256 than {LIST} says")
        for name, content in found.items():
            (folder / name).write_bytes(content)


def download(package: Package, scratch: Path) -> Path:
    """The package's archive, once it has shown the integrity that is written down."""
    command = ["npm", "pack", f"{package['name']}@{package['version']}", "--silent", "--pack-destination", str(scratch)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = scratch.glob("*.tgz")
    if integrity(archive.read_bytes()) != package["integrity"]:
        raise Mismatch(f"{package['name']} {package['version']}: the archive has another integrity than {LIST} says")
    return archive


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        file = opened.extractfile(f"package/{name}")
        assert file is not None, f"{name} is no file of {archive.name}"
        return file.read()


def write_down(listing: Path, before: str, after: str) -> None:
    text = listing.read_text(encoding="utf-8")
    listing.write_text(re.sub(re.escape(before), after, text), encoding="utf-8")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def integrity(content: bytes) -> str:
    """As npm writes it: W3C Subresource Integrity over SHA-512."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def main(arguments: list[str]) -> int:
    if arguments in (["fetch"], ["adopt"]):
        fetch(VENDOR, adopt=arguments == ["adopt"])
    found = list(breaches(VENDOR))
    for line in found:
        print(line)
    print(f"vendored files: {len(found)} breaches" if found else "vendored files: as listed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The page's files: read once at the start, compressed once, served from memory under an address that names their
content, so that a browser may keep them for ever.

The address holds one hash for the whole tree and not one per file: modules import each other by relative paths, and a
change of any makes all of them new. Templates are Jinja's, with escaping on.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

PACKAGE: Final = "lasso_trio.dashboard"
WORTH_PACKING: Final = 512
HASH_DIGITS: Final = 12
TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_PACKED: Final = frozenset({"css", "js", "json", "svg"})


@attrs.frozen(eq=False, repr=False)
class Asset:
    body: bytes
    packed: bytes | None
    """gzip, where that is smaller."""
    content_type: str


@attrs.frozen(eq=False)
class Assets:
    """`files` by path below `static/`. `mark`: the hash of all of them."""

    files: Mapping[str, Asset]
    mark: str

    @classmethod
    def of(cls, bodies: Mapping[str, bytes]) -> Assets:
        digest = sha256()
        for path, body in sorted(bodies.items()):
            digest.update(b"%b\0%d\0%b" % (path.encode(), len(body), body))
        return cls({path: _asset(path, body) for path, body in bodies.items()}, digest.hexdigest()[:HASH_DIGITS])

    @property
    def prefix(self) -> str:
        return f"/dashboard/static/{self.mark}"

    def find(self, mark: str, path: str) -> Asset | None:
        return self.files.get(path) if mark == self.mark else None


def _asset(path: str, body: bytes) -> Asset:
    ending = path.rpartition(".")[2].lower()
    packed = gzip.compress(body, 6, mtime=0) if ending in _PACKED and len(body) >= WORTH_PACKING else None
    return Asset(body, packed, TYPES.get(ending, "text/plain; charset=utf-8"))


@cache
def shipped() -> Assets:
    """The files of this version. Reads them at the first call."""
    root = files(PACKAGE).joinpath("static")
    return Assets.of(dict(_walk(root, "")) if root.is_dir() else {})


def _walk(directory: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.startswith("."):
            yield prefix + entry.name, entry.read_bytes()


@cache
def templates() -> Environment:
    return Environment(loader=PackageLoader(PACKAGE, "templates"), autoescape=True, undefined=StrictUndefined)

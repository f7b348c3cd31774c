"""Files that profiles name and that an archive of their directory does not hold: it is not restored whole without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os.path import normpath
from typing import Final

from lasso_trio.backup.texts import documents
from lasso_trio.config.document import Items, Node, Scalar

_FIELDS: Final = frozenset({"keys_file", "jwks_file"})


def outside_files(files: Mapping[str, bytes]) -> Iterator[str]:
    """`file:line: the path as it is written`, of each. Relative paths begin where the profile is."""
    for name, document in documents(files):
        for scalar in _named(document):
            if normpath(scalar.text) not in files:
                yield f"{name}:{scalar.line}: {scalar.text}"


def _named(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Items):
        for child in node.nodes:
            yield from _named(child)
    elif not isinstance(node, Scalar):
        for key, child in node.pairs:
            if isinstance(child, Scalar) and key.text in _FIELDS and child.text:
                yield child
            else:
                yield from _named(child)

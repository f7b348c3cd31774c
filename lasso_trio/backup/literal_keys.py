"""Keys that stand in a profile's own text, where `${NAME}` should: an archive of it is as secret as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lasso_trio.backup.texts import documents
from lasso_trio.config.document import Items, Node, Scalar, Table
from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream.endpoint import Endpoint

_AS_HTTP: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_SECRET_FIELDS: Final = frozenset({"secret", "api_key"})
_SECRET_HEADERS: Final = re.compile(r"authorization|cookie|key|token|secret|password|credential", re.IGNORECASE)


def literal_keys(files: Mapping[str, bytes]) -> Iterator[str]:
    """`file:line` of each URL, key and header that seems to hold a credential in so many letters."""
    for name, document in documents(files):
        for scalar in _keys_in(document, ""):
            yield f"{name}:{scalar.line}"


def _keys_in(node: Node, owner: str) -> Iterator[Scalar]:
    """In file order. `owner`: the key whose value `node` is."""
    if isinstance(node, Scalar):
        if "${" not in node.text and _holds_key(node.text):
            yield node
        return
    for key, child in _children(node):
        if isinstance(child, Scalar) and _is_secret(owner, key) and child.text and "${" not in child.text:
            yield child
        else:
            yield from _keys_in(child, key or owner)


def _children(node: Items | Table) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Items):
        yield from (("", child) for child in node.nodes)
    else:
        yield from ((key.text, child) for key, child in node.pairs)


def _is_secret(owner: str, key: str) -> bool:
    if owner == "auth_headers":
        return True
    return key in _SECRET_FIELDS or (owner == "headers" and _SECRET_HEADERS.search(key) is not None)


def _holds_key(text: str) -> bool:
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in _AS_HTTP:
        return False
    try:
        return bool(Endpoint.from_url(SecretUrl(f"{_AS_HTTP[scheme]}://{rest}")).keys)
    except ValueError:
        return False

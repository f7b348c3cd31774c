"""Keys that stand in a profile's own text, where `${NAME}` should: an archive of it is as secret as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lasso_trio.config.document import read_document, scalars
from lasso_trio.config.loader import SUFFIXES
from lasso_trio.config.report import Report
from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream.endpoint import Endpoint

_AS_HTTP: Final = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


def literal_keys(files: Mapping[str, bytes]) -> Iterator[str]:
    """`file:line` of each URL that seems to hold a credential in so many letters."""
    for name, data in files.items():
        document = read_document(data.decode("utf-8", "replace"), Report(name)) if name.endswith(SUFFIXES) else None
        for scalar in () if document is None else scalars(document):
            if "${" not in scalar.text and _holds_key(scalar.text):
                yield f"{name}:{scalar.line}"


def _holds_key(text: str) -> bool:
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in _AS_HTTP:
        return False
    try:
        return bool(Endpoint.from_url(SecretUrl(f"{_AS_HTTP[scheme]}://{rest}")).keys)
    except ValueError:
        return False

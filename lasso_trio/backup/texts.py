"""The archived files that are profiles, as far as they can be read: what is wrong in them `lasso validate` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lasso_trio.config.document import Table, read_document
from lasso_trio.config.loader import SUFFIXES
from lasso_trio.config.report import Report


def documents(files: Mapping[str, bytes]) -> Iterator[tuple[str, Table]]:
    for name, data in files.items():
        document = read_document(data.decode("utf-8", "replace"), Report(name)) if name.endswith(SUFFIXES) else None
        if document is not None:
            yield name, document

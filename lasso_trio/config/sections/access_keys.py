"""`auth.keys`: who has a key, in the profile or in a file of its own, so that the profile may be public.

Of a key only the hash is written down (`lasso key new` prints both). Ids are names: they are in log lines and metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Final

from lasso_trio.config.access import ApiKey, Names, Terms
from lasso_trio.config.document import Items, Table, read_document
from lasso_trio.config.fields import Fields, found
from lasso_trio.config.report import Report, nearest
from lasso_trio.config.sections.access_names import read_names

KEY_KEYS: Final = ("id", "hash", "rps", "burst", "methods", "chains", "expires", "disabled")
KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")


def read_keys(auth: Fields, chains: Sequence[str]) -> tuple[ApiKey, ...]:
    """Those of `keys`, then those of `keys_file`; ids are unique."""
    keys: dict[str, ApiKey] = {}
    for fields in (*_entries(auth), *_of_file(auth)):
        key = _key(fields, chains)
        if key.id in keys:
            fields.complain("id", f"duplicate key id {key.id!r}")
        keys.setdefault(key.id, key)
    return tuple(keys.values())


def _of_file(auth: Fields) -> Iterator[Fields]:
    """A relative path begins where the profile is. What is wrong in the file is told with its own lines."""
    name = auth.text("keys_file", None)
    if name is None:
        return
    path = Path(auth.report.file).parent / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        auth.complain("keys_file", f"'keys_file' {str(path)!r} cannot be read: {why}")
        return
    report = Report(str(path), auth.report.problems)
    document = read_document(text, report)
    if document is not None:
        yield from _entries(Fields(document, "keys file", ("keys",), report))


def _entries(fields: Fields) -> Iterator[Fields]:
    if "keys" not in fields:
        return
    node = fields.node("keys")
    if not isinstance(node, Items):
        fields.complain("keys", f"'keys' must be a list, found {'nothing' if node is None else found(node)}")
        return
    for item in node.nodes:
        if isinstance(item, Table):
            yield Fields(item, "key", KEY_KEYS, fields.report)
        else:
            fields.report.add(item.line, "a key must hold `key: value` lines with its id and its hash")


def _key(fields: Fields, chains: Sequence[str]) -> ApiKey:
    terms = Terms(
        rps=fields.integer("rps", None, least=1),
        burst=fields.integer("burst", None, least=1),
        methods=read_names(fields, "methods"),
        chains=_chains(fields, chains),
    )
    if terms.burst is not None and terms.rps is None and "rps" not in fields:
        fields.complain("burst", "'burst' needs 'rps'")
    return ApiKey(_id(fields), _digest(fields), terms, _expires(fields), fields.boolean("disabled", False))


def _id(fields: Fields) -> str:
    fields.require("id")
    stand_in = f"<line {fields.own_line}>"
    id_ = fields.text("id", stand_in)
    if id_ != stand_in and not KEY_ID.fullmatch(id_):
        fields.complain("id", f"key id {id_!r} must be up to 32 letters, digits, '.' and '-'")
    return id_


def _digest(fields: Fields) -> str:
    """What was written is not repeated in messages: it may be the key itself, by mistake."""
    fields.require("hash")
    scalar = fields.scalar("hash")
    match = None if scalar is None else _HASH.fullmatch(scalar.text)
    if scalar is not None and match is None:
        fields.complain("hash", "'hash' must be 'sha256:' and 64 hexadecimal digits, as `lasso key hash` prints it")
    return "" if match is None else match[1]


def _chains(fields: Fields, chains: Sequence[str]) -> Names:
    names = read_names(fields, "chains")
    for glob in (*names.allow, *names.deny):
        if glob != "*" and not any(Names((glob,)).permits(chain) for chain in chains):
            fields.complain("chains", f"no chain of this profile is called {glob!r}", nearest(glob, chains))
    return names


def _expires(fields: Fields) -> float:
    """A date is its first moment in UTC; so is a time without a zone."""
    scalar = fields.scalar("expires")
    if scalar is None:
        return inf
    try:
        moment = datetime.fromisoformat(scalar.text)
    except ValueError:
        fields.complain("expires", f"'expires' must be like 2027-01-31 or 2027-01-31T12:00:00Z, found {found(scalar)}")
        return inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

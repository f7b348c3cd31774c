"""One text for parameters that mean the same: spaces, the order of members and the case of hex data do not count.

Two texts that are the same here get the same answer from any node; where that is not certain, the text stays as it
came and is equal to itself alone. So it stays where an object has a member twice (nodes differ in which one they
take), and where there is a number that is no integer. Names of members keep their case: some nodes heed it. So does
`0X`, which some nodes refuse.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from lasso_trio.jsonrpc.methods import Method

_HEX: Final = re.compile(r"0x[0-9a-fA-F]*")
_CASELESS: Final = frozenset({"core", "state", "eip1559", "eip4844", "batch", "filters", "debug", "trace"})
"""Categories of methods whose parameters are data and quantities: hex digits in either case."""


class _Ambiguous(ValueError):
    """It may mean different things to different nodes."""


def canonical(method: Method, params: bytes) -> bytes:
    """The canonical text of `params`, a JSON array. Never raises; takes time in proportion to the text."""
    try:
        values = _decode(params.decode())
        if method.category in _CASELESS:
            values = _lowered(values)
        return _encode(values).encode()
    except (ValueError, RecursionError):
        return params


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Ambiguous("a member stands twice")
    return members


def _no_fraction(text: str) -> NoReturn:
    raise _Ambiguous(text)


def _lowered(value: object) -> object:
    if isinstance(value, str):
        return value.lower() if _HEX.fullmatch(value) else value
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    if isinstance(value, dict):
        return {name: _lowered(item) for name, item in value.items()}
    return value


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_no_fraction, parse_constant=_no_fraction
).decode
_encode: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode

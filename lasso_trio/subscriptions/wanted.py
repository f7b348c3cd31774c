"""What an `eth_subscribe` asks for, read strictly and written in one spelling, so that equal wishes share a stream.

    "newHeads" [{fromBlock}] · "logs" [{address, topics, fromBlock}] · "newPendingTransactions" [true] · "syncing"

Filters mean what they mean to a node: addresses one, many or all; topics by position, null (or an empty list, or a
list with a null in it) for "any", a list for "any of". Hex is lower-cased, lists are sorted and lose their doubles, a
list of one is that one. Trailing nulls stay: they ask for logs with so many topics. `fromBlock` is ours: replay from
that block on; it is not part of what is shared. What nodes ignore in a subscription (`toBlock`, `blockHash`, members
nobody knows) is ignored. Pure. Errors are -32602 in the words that nodes use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import attrs
import msgspec

from lasso_trio.jsonrpc.errors import INVALID_PARAMS, RpcError

MOST_TOPICS: Final = 4
MOST_CHOICES: Final = 1000
"""Addresses of a filter, and choices of one topic."""
_QUANTITY: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_HEX: Final = re.compile(r"0[xX][0-9a-fA-F]*")
_LIVE_TAGS: Final = (None, "latest", "pending")
"""A `fromBlock` that asks for nothing but what comes."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Kind(StrEnum):
    HEADS = "newHeads"
    LOGS = "logs"
    PENDING = "newPendingTransactions"
    SYNCING = "syncing"


Choice = tuple[str, ...] | None
"""Any of these; None: whatever it is."""


@attrs.frozen
class LogFilter:
    """`addresses` and each of `topics`: lower-case hex, sorted; None matches everything."""

    addresses: Choice = None
    topics: tuple[Choice, ...] = ()

    def members(self) -> dict[str, object]:
        """As the members of a filter object, shortest spelling."""
        found: dict[str, object] = {}
        if self.addresses is not None:
            found["address"] = _shortest(self.addresses)
        if self.topics:
            found["topics"] = [_shortest(choice) for choice in self.topics]
        return found


@attrs.frozen
class Wanted:
    """`params` is the JSON array to subscribe with upstream. `from_block`: replay from there, if not None."""

    kind: Kind
    params: bytes
    from_block: int | None = None
    filter: LogFilter = LogFilter()

    @property
    def key(self) -> str:
        """Equal for all wishes that one stream fulfils."""
        return self.params.decode()


def kind_of(key: str) -> str:
    """The first parameter of the `eth_subscribe` that a stream's key is made of: `["logs",{…}]` is `logs`."""
    return key.partition('"')[2].partition('"')[0]


def read(params: bytes) -> Wanted:
    """What the params of an `eth_subscribe` ask for. Raises RpcError."""
    try:
        given = _decode(params)
    except (msgspec.DecodeError, RecursionError):
        raise _invalid("invalid params") from None
    if not isinstance(given, list) or not given or not isinstance(given[0], str):
        raise _invalid("expected subscription name as first argument")
    if len(given) > 2:
        raise _invalid("too many arguments, want at most 2")
    return _READERS.get(given[0], _unknown)(given[0], given[1] if len(given) > 1 else None)


def _unknown(name: str, _: object) -> Wanted:
    raise _invalid(f'no "{name:.60}" subscription in eth namespace')


def _heads(_: str, options: object) -> Wanted:
    first = None if options is None else _from_block(_object(options))
    return Wanted(Kind.HEADS, b'["newHeads"]', first)


def _logs(_: str, options: object) -> Wanted:
    members = {} if options is None else _object(options)
    filter_ = LogFilter(_addresses(members.get("address")), _topics(members.get("topics")))
    return Wanted(Kind.LOGS, _encode(["logs", filter_.members()]), _from_block(members), filter_)


def _pending(_: str, full: object) -> Wanted:
    if full is not None and not isinstance(full, bool):
        raise _invalid("invalid argument 1: a boolean is expected")
    return Wanted(Kind.PENDING, b'["newPendingTransactions",true]' if full else b'["newPendingTransactions"]')


def _syncing(_: str, __: object) -> Wanted:
    return Wanted(Kind.SYNCING, b'["syncing"]')


_READERS: Final[dict[str, Callable[[str, object], Wanted]]] = {
    Kind.HEADS: _heads,
    Kind.LOGS: _logs,
    Kind.PENDING: _pending,
    Kind.SYNCING: _syncing,
}


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid("invalid argument 1: an object is expected")
    return value


def _from_block(members: dict[str, Any]) -> int | None:
    value = members.get("fromBlock")
    if value in _LIVE_TAGS:
        return None
    if value == "earliest":
        return 0
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise _invalid("invalid argument 1: fromBlock must be a block number in hex")


def _addresses(value: object) -> Choice:
    if value is None or value == []:
        return None
    return _choices(value, 20, "address")


def _topics(value: object) -> tuple[Choice, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _invalid("invalid argument 1: topics must be a list")
    if len(value) > MOST_TOPICS:
        raise _invalid("exceed max topics")
    return tuple(_topic(item) for item in value)


def _topic(value: object) -> Choice:
    if value is None or value == [] or (isinstance(value, list) and None in value):
        return None
    return _choices(value, 32, "topic")


def _choices(value: object, size: int, what: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MOST_CHOICES:
        raise _invalid(f"too many choices for {what}, want at most {MOST_CHOICES}")
    return tuple(sorted({_data(item, size, what) for item in listed}))


def _data(value: object, size: int, what: str) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _invalid(f"invalid argument 1: invalid {what}: a hex string with 0x is expected")
    if len(value) != 2 + 2 * size:
        raise _invalid(
            f"invalid argument 1: hex has invalid length {len(value) - 2} after decoding; want {2 * size} for {what}"
        )
    return value.lower()


def _shortest(choice: Choice) -> object:
    return choice[0] if choice is not None and len(choice) == 1 else choice


def _invalid(text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, text)


HEADS: Final = read(b'["newHeads"]')

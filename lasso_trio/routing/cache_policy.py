"""Which answers are kept, and until when. Nothing is kept that could not be seen to be over.

    price              at most a second (the profile's `price_ms`)
    final              a block at or below what both the chain and the provider that answered call finalized: for long
    branch             every block in the answer tells its number and hash, and the headers say that it stands: until
                       one of them does not
    head               anything else that follows from the newest block: until the next one, and only from a provider
                       that is there

Headers are what tells of heads and of reorganisations (`providers.branch`): while nobody tells them, nothing of the
last two is kept. Never kept: errors, null, and empty answers above finality, which may mean that a provider does not
have the block yet. Pure: the world is passed in as a `Standing`, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.branch import Header
from lasso_trio.routing.cache_question import BY_HASH, Kind, Question

Place = tuple[int, str]
"""A block's number and hash."""


@attrs.frozen
class Keep:
    """Until when an answer holds: `until` (seconds), while `head` is the newest block's hash, while `blocks` stand.

    None and empty: that does not end it.
    """

    why: str
    until: float | None = None
    head: str | None = None
    blocks: tuple[Place, ...] = ()


@attrs.frozen
class Standing:
    """The world when an answer came. `asked_at`, in seconds, and `head_then`: when it was asked for.

    `head`, `head_then`: the newest block if it is known for certain. `final`: the highest block that the chain called
    finalized when it was asked for, and that the provider does too. `height`: how far the provider told that it is.
    """

    asked_at: float
    head_then: Header | None
    head: Header | None
    final: int
    height: int
    hash_of: Callable[[int], str | None]
    price_s: float


TELLING: Final = BY_HASH | {
    "eth_getBlockByNumber",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getBlockReceipts",
    "eth_getLogs",
}
"""Methods whose answers tell the blocks that they are made of."""


class _Told(msgspec.Struct, rename="camel"):
    number: str | None = None
    hash: str | None = None
    block_number: str | None = None
    block_hash: str | None = None


class _One(msgspec.Struct):
    result: _Told


class _Many(msgspec.Struct):
    result: list[_Told]


class _Height(msgspec.Struct):
    result: str


_decode_one: Final = msgspec.json.Decoder(_One).decode
_decode_many: Final = msgspec.json.Decoder(_Many).decode
_decode_height: Final = msgspec.json.Decoder(_Height).decode

_EMPTY: Final = frozenset({b"null", b"[]", b"{}", b'""', b'"0x"'})
_LONGEST_EMPTY: Final = 4
_RANGE: Final = Question(Kind.HEAD, latest=False)


def decide(question: Question, method: str, reply: Reply, at: Standing) -> Keep | str:
    """Until when the answer holds, or why it is not kept: `error`, `null`, `empty`, `unconfirmed`, `head_unknown`,
    `head_moved`, `behind_head`.
    """
    if reply.error is not None:
        return "error"
    if reply.result_first == ord("n"):
        return "null"
    if question.kind is Kind.NUMBERED and question.high <= at.final:
        return _as_told(blocks_in(method, reply), at)
    if is_empty(reply):
        return "empty"
    if question.kind is Kind.PRICE:
        return Keep("price", until=at.asked_at + at.price_s)
    told = blocks_in(method, reply)
    if not told and method in TELLING:
        return "unconfirmed"
    if question.kind is Kind.HEAD:
        return _at_head(question, method, reply, told, at)
    if question.kind is Kind.NUMBERED and method == "eth_getLogs":
        # The blocks of the range that have no such logs are not told: another branch may have some there.
        return _at_head(_RANGE, method, reply, told, at)
    if told:
        wrong = question.kind is Kind.NUMBERED and any(number != question.high for number, _ in told)
        return "unconfirmed" if wrong else _as_told(told, at)
    # State by number above finality tells no hash: it holds for as long as nothing at all happens.
    return "unconfirmed" if question.kind is Kind.HASHED else _while_head(question.high, at)


def _as_told(told: tuple[Place, ...], at: Standing) -> Keep | str:
    """Old blocks must not contradict the headers, as far as these go back; young ones must be in them."""
    if any(at.hash_of(number) not in (hash_, None if number <= at.final else hash_) for number, hash_ in told):
        return "unconfirmed"
    young = tuple(place for place in told if place[0] > at.final)
    return Keep("branch", blocks=young) if young else Keep("final")


def _at_head(question: Question, method: str, reply: Reply, told: tuple[Place, ...], at: Standing) -> Keep | str:
    kept = _while_head(-1, at)
    if isinstance(kept, str) or at.head is None:
        return kept
    if method == "eth_blockNumber":
        return kept if _height(reply) == at.head.number else "behind_head"
    if told and question.latest:
        return kept if told == ((at.head.number, at.head.hash),) else "behind_head"
    return kept if not told or isinstance(_as_told(told, at), Keep) else "unconfirmed"


def _while_head(number: int, at: Standing) -> Keep | str:
    if at.head is None or at.head_then is None:
        return "head_unknown"
    if at.head != at.head_then:
        return "head_moved"
    return Keep("head", head=at.head.hash) if at.height >= at.head.number >= number else "behind_head"


def is_empty(reply: Reply) -> bool:
    """Null, and what says no more than that: an empty list, object or string, no bytes."""
    if reply.result_size > _LONGEST_EMPTY:
        return False
    return any(text in reply.after for text in _EMPTY)


def blocks_in(method: str, reply: Reply) -> tuple[Place, ...]:
    """The blocks that a good answer is made of, each once; none if it does not tell, or not of all."""
    if method not in TELLING:
        return ()
    text = reply.splice(b"0")
    try:
        told = _decode_many(text).result if reply.result_first == ord("[") else [_decode_one(text).result]
        return tuple(dict.fromkeys(_place(each) for each in told))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ()


def _place(told: _Told) -> Place:
    """Raises ValueError: a pending one has no place."""
    number, hash_ = (told.number, told.hash) if told.block_number is None else (told.block_number, told.block_hash)
    if number is None or hash_ is None or not number.startswith("0x"):
        raise ValueError("no place")
    return int(number, 16), hash_.lower()


def _height(reply: Reply) -> int:
    try:
        return int(_decode_height(reply.splice(b"0")).result, 16)
    except (msgspec.DecodeError, ValueError):
        return -1

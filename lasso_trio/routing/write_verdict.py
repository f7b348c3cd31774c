"""What a provider's answer to a signed transaction means, and which of several is worth telling. Pure.

    accepted · known        it has the transaction
    nonce_used              it had that account's transaction of this nonce: this one, or another. To be looked up
    refused                 a true reason, or a request that is wrong for anybody
    failed                  an error of its own, which says little about the transaction
    declined                it did not look at it: rate limit, missing ability, credentials, never reached
    wrong                   it names another transaction's hash: broken
    silent                  it may have taken it, but did not say so

The same bytes are the same transaction wherever they are sent and can be carried out once, so all but the first four
let another provider be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.verdict import ErrorClass
from lasso_trio.routing.attempt import Attempt


class Said(IntEnum):
    """In the order in which an error is worth telling, the best first."""

    ACCEPTED = 0
    KNOWN = 1
    NONCE_USED = 2
    REFUSED = 3
    FAILED = 4
    DECLINED = 5
    WRONG = 6
    SILENT = 7


SUCCESS: Final = frozenset({Said.ACCEPTED, Said.KNOWN})
SETTLED: Final = SUCCESS | {Said.NONCE_USED, Said.REFUSED}
"""It looked at the transaction: nobody has to be asked in its place."""
MAY_HAVE_IT: Final = frozenset({Said.WRONG, Said.SILENT})
WORTH_A_LOOK: Final = MAY_HAVE_IT | {Said.NONCE_USED, Said.FAILED}
"""Whoever has the transaction's hash knows better than this."""

_NONCE_USED: Final = (
    "nonce too low",
    "nonce is too low",
    "nonce has already been used",
    "nonce already used",
    "oldnonce",
)
"""geth, reth, erigon, besu, anvil; OpenEthereum; old ethers' words for it; relays; Nethermind."""


class _Result(msgspec.Struct):
    result: str


_decode_result = msgspec.json.Decoder(_Result).decode


def said_by(done: Attempt, hash_: str) -> Said:
    """What the attempt `done` to send the transaction with `hash_` came to."""
    reply = done.reply
    if reply is None:
        return Said.DECLINED if not done.dispatched or _put_off(done) else Said.SILENT
    if reply.error is None:
        return Said.ACCEPTED if _result(reply) == hash_ else Said.WRONG
    return _refusal(done, reply.error.text.lower())


def most_telling(answers: Sequence[tuple[Said, Attempt]]) -> tuple[Said, Attempt]:
    """Among answers that are no success: a node's verdict on the transaction before its own trouble, in order."""
    return min(answers, key=lambda answer: (answer[0], not _about_the_transaction(answer[1])))


def _refusal(done: Attempt, text: str) -> Said:
    if done.verdict is not None and done.verdict.error_class is ErrorClass.TRANSACTION_KNOWN:
        return Said.KNOWN
    if any(words in text for words in _NONCE_USED):
        return Said.NONCE_USED
    if _put_off(done):
        return Said.DECLINED
    return Said.REFUSED if done.final else Said.FAILED


def _put_off(done: Attempt) -> bool:
    return done.declined or (done.verdict is not None and done.verdict.error_class is ErrorClass.AUTH)


def _about_the_transaction(done: Attempt) -> bool:
    return done.verdict is not None and done.verdict.error_class is ErrorClass.TRANSACTION_REFUSED


def _result(reply: Reply) -> str | None:
    """In lower case; None if it is no text."""
    try:
        return _decode_result(reply.splice(b"0")).result.lower()
    except msgspec.DecodeError:
        return None

"""What an instance's answer to a probe means: a value, or whose fault it is that there is none. Pure.

The HTTP status is asked before the body where a gateway speaks: 401 and 402 are a matter of keys and bills, 403 and 429
of too much. A JSON-RPC error that is no illness (a method that is not there) leaves the instance alive and the question
unanswered.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import attrs
import msgspec

from lasso_trio.config.profile import ErrorRule
from lasso_trio.jsonrpc.reply import BrokenReply, ErrorObject, check
from lasso_trio.providers.classify import Category, Verdict, classify, classify_fault, verdict_for
from lasso_trio.providers.hint import NO_HINT, Hint, hint_in
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.providers.retry_after import Header
from lasso_trio.upstream.faults import ConnectFault, Disconnected, UpstreamFault

LONGEST_WORDS: Final = 200
_HIGHEST: Final = 1 << 63
_SILENCE: Final = frozenset({Category.NETWORK_ERROR, Category.TIMEOUT, Category.LOCAL_CAPACITY})


class Kind(StrEnum):
    GOOD = "good"
    UNANSWERED = "unanswered"
    """It lives, and does not have what was asked for."""
    THROTTLED = "throttled"
    REFUSED = "refused"
    FAILED = "failed"


@attrs.frozen
class ProbeAnswer:
    """`number`: the chain id or a block's. `timestamp`: that block's, Unix seconds. `syncing`: for that question.

    `words`: what was wrong. `hint`: what it says of its own limit. `foreign`: it answers another request, so its
    connection must not be used again. `at_once`: there was no connection, and no wait for one.
    """

    kind: Kind
    verdict: Verdict | None = None
    number: int | None = None
    timestamp: int | None = None
    syncing: bool = False
    words: str = ""
    hint: Hint = NO_HINT
    foreign: bool = False
    at_once: bool = False

    @property
    def hint_s(self) -> float | None:
        """How long it wants to be left alone."""
        return self.hint.seconds

    @property
    def silent(self) -> bool:
        """Nothing was said, so nothing of the question."""
        return self.verdict is not None and self.verdict.category in _SILENCE


class _Block(msgspec.Struct):
    number: str
    timestamp: str


class _Number(msgspec.Struct):
    result: str


class _Syncing(msgspec.Struct):
    result: bool | dict[str, msgspec.Raw]


class _Newest(msgspec.Struct):
    result: _Block | None


def failure(category: Category, words: str) -> ProbeAnswer:
    """What never became an answer: the transport's fault, or nobody's within the time."""
    return ProbeAnswer(Kind.FAILED, verdict_for(category), words=words)


def faulted(fault: UpstreamFault) -> ProbeAnswer:
    """The same, of a fault other than the end of its time. Refused and broken connections are known `at_once`."""
    lost = isinstance(fault, ConnectFault | Disconnected) and fault.reason != "timed_out" and not fault.local
    return ProbeAnswer(Kind.FAILED, classify_fault(fault), words=str(fault), at_once=lost)


def _no_header(_: bytes) -> None:
    return None


def read(
    question: Question,
    status: int,
    body: bytes,
    id_: int,
    wall: float,
    header: Header = _no_header,
    rules: Sequence[ErrorRule] = (),
) -> ProbeAnswer:
    """Judge the answer to request `id_`. `wall`: Unix time now, for dates.

    `header`: finds a header's value by its name. `rules`: what the profiles say of this provider's errors.
    """
    try:
        error = check(body, id_).error
    except BrokenReply as broken:
        if status == 200:
            answer = failure(Category.PROVIDER_ERROR, f"broken reply: {broken.reason}")
        else:
            answer = _refusal(status, None, body, wall, header, rules)
        return attrs.evolve(answer, foreign=broken.reason == "id_mismatch")
    if error is not None or status != 200:
        return _refusal(status, error, body, wall, header, rules)
    try:
        return _value(question, body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return failure(Category.PROVIDER_ERROR, f"{question} answered with something else")


def _value(question: Question, body: bytes) -> ProbeAnswer:
    match question:
        case Question.CHAIN_ID | Question.HEIGHT:
            return ProbeAnswer(Kind.GOOD, number=_hex(msgspec.json.decode(body, type=_Number).result))
        case Question.SYNCING:
            return ProbeAnswer(Kind.GOOD, syncing=bool(msgspec.json.decode(body, type=_Syncing).result))
    block = msgspec.json.decode(body, type=_Newest).result
    if block is None:
        return ProbeAnswer(Kind.UNANSWERED, words=f"no {question} block")
    return ProbeAnswer(Kind.GOOD, number=_hex(block.number), timestamp=_hex(block.timestamp))


def _hex(text: str) -> int:
    number = int(text, 16)
    if not text.startswith("0x") or not 0 <= number < _HIGHEST:
        raise ValueError(text[:20])
    return number


def _refusal(
    status: int,
    error: ErrorObject | None,
    body: bytes,
    wall: float,
    header: Header,
    rules: Sequence[ErrorRule],
) -> ProbeAnswer:
    text = body[:2048].decode("utf-8", "replace") if error is None else error.text
    data = error.data or None if error is not None else None
    verdict = classify(status, None if error is None else error.code, text, data, rules)
    said = f"HTTP {status}" if error is None else f"{error.code} {text}"
    hint = hint_in(header, data, text, wall)
    return ProbeAnswer(_kind(status, verdict), verdict, words=said[:LONGEST_WORDS], hint=hint)


def _kind(status: int, verdict: Verdict) -> Kind:
    if status in (401, 402) or (verdict.category is Category.AUTH_ERROR and status == 200):
        return Kind.REFUSED
    if status in (403, 429) or verdict.kind == "quota":
        return Kind.THROTTLED
    if status == 200 and verdict.kind in ("capability", "deterministic"):
        return Kind.UNANSWERED
    return Kind.FAILED

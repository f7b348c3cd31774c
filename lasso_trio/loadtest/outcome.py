"""What one answer is worth: `ok`, or what is wrong with it. Pure.

An answer counts when it answers what was asked and nothing else: for a call one object that has its id, for a batch a
list with one for each of its calls, in any order (JSON-RPC 2.0, sections 5 and 6).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs
import msgspec

OK: Final = "ok"
NO_ANSWER: Final = "not an answer"

_Id = str | int | float | None


class _Request(msgspec.Struct):
    method: str
    id: _Id


class _Error(msgspec.Struct):
    code: int


class _Answer(msgspec.Struct):
    id: _Id | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_requests: Final = msgspec.json.Decoder(_Request | list[_Request])
_answers: Final = msgspec.json.Decoder(_Answer | list[_Answer])


@attrs.frozen
class Asked:
    """Which ids a body wants answered, each as often as it stands there."""

    is_batch: bool
    ids: Counter[_Id | msgspec.UnsetType]

    @classmethod
    def of(cls, body: bytes) -> Asked:
        """Raises ValueError when it is neither a call with a method and an id nor a batch of such."""
        said = _requests.decode(body)
        calls = said if isinstance(said, list) else [said]
        if not calls:
            raise ValueError("an empty batch asks nothing")
        return cls(isinstance(said, list), Counter(call.id for call in calls))


def outcome_of(status: int, body: bytes, asked: Asked) -> str:
    """`ok`, `HTTP <status>`, `error <code>` (of a batch: of its first that failed), `not an answer`, `wrong id`, or
    `answers missing`.
    """
    if status != 200:
        return f"HTTP {status}"
    try:
        said = _answers.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return NO_ANSWER
    answers = said if isinstance(said, list) else [said]
    for each in answers:
        if each.error is not None:
            return f"error {each.error.code}"
    if isinstance(said, list) is not asked.is_batch or any(each.result is msgspec.UNSET for each in answers):
        return NO_ANSWER
    return _of_ids(Counter(each.id for each in answers), asked.ids)


def _of_ids(got: Counter[_Id | msgspec.UnsetType], asked: Counter[_Id | msgspec.UnsetType]) -> str:
    if got == asked:
        return OK
    return "wrong id" if got - asked else "answers missing"

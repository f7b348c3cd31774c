"""What a row of the checklist came to: a state, why in a sentence, what to do, and the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs


class State(StrEnum):
    """`warn`: works, and somebody should look. `skip`: it could not be told, and `why` says what is missing."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@attrs.frozen
class Verdict:
    """`todo` is empty where nothing is to be done. `figures`: numbers and names for programs; never a secret."""

    state: State
    why: str
    todo: str = ""
    figures: Mapping[str, Any] = attrs.field(factory=dict)


def passed(why: str, **figures: Any) -> Verdict:  # noqa: ANN401 (JSON)
    return Verdict(State.PASS, why, "", figures)


def warned(why: str, todo: str, **figures: Any) -> Verdict:  # noqa: ANN401 (JSON)
    return Verdict(State.WARN, why, todo, figures)


def failed(why: str, todo: str, **figures: Any) -> Verdict:  # noqa: ANN401 (JSON)
    return Verdict(State.FAIL, why, todo, figures)


def skipped(why: str, todo: str, **figures: Any) -> Verdict:  # noqa: ANN401 (JSON)
    return Verdict(State.SKIP, why, todo, figures)

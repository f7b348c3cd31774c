"""W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a call belongs to, as its client tells it.

Pure: header values in, values out. What cannot be read counts as not sent, as the recommendation asks for.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

LONGEST_STATE: Final = 512
"""Characters of `tracestate` that are kept; the recommendation asks for at least as many."""
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE: Final = re.compile(r"[ -~\t]*")


@attrs.frozen
class Parent:
    """The client's span. Ids are numbers and never 0."""

    trace_id: int
    span_id: int
    sampled: bool
    state: str = ""


def lines_of(trace_id: int, span_id: int, state: str = "") -> bytes:
    """The header lines that tell the next one its parent: a span of a sampled trace."""
    parent = b"traceparent: 00-%032x-%016x-01\r\n" % (trace_id, span_id)
    return parent + b"tracestate: %b\r\n" % state.encode("ascii") if state else parent


def parent_of(traceparent: str, tracestate: str = "") -> Parent | None:
    """What the two headers say; None when there is no parent in them."""
    match = _PARENT.fullmatch(traceparent.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    trace, span = int(trace_id, 16), int(span_id, 16)
    if not trace or not span:
        return None
    state = tracestate.strip() if _STATE.fullmatch(tracestate) and len(tracestate) <= LONGEST_STATE else ""
    return Parent(trace, span, bool(int(flags, 16) & 1), state)

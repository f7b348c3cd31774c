"""What both ends of the bus have in common: who listens to which topic, who answers, and which asks are under way.

Knows no sockets: it is given frames, and gives frames to `send`. Whoever listens or answers may raise: it is contained
and logged here, and an ask is then refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from random import getrandbits
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.errors import LassoError
from lasso_trio.workers.frame import MAX_PAYLOAD, Frame, Kind

MOST_ANSWERS: Final = 256
"""Asks that are being answered at one time; one more is refused."""

Heard = Callable[[int, bytes], None]
Act = Callable[[int, bytes], Awaitable[bytes]]

log = structlog.get_logger(__name__)


class BusFault(LassoError):
    """An ask has no answer: the other end is gone, took too long, or refused. The message says which."""


@attrs.define(eq=False)
class _Ask:
    to: int
    done: trio.Event = attrs.field(factory=trio.Event)
    answer: bytes | None = None
    fault: str = ""

    def end(self, answer: bytes | None, fault: str = "") -> None:
        self.answer, self.fault = answer, fault
        self.done.set()


@attrs.define(eq=False)
class Topics:
    """One end's. `send` puts a frame on its way and tells whether there was room for it."""

    me: int
    send: Callable[[Frame], bool]
    _heard: dict[str, Heard] = attrs.field(factory=dict)
    _acts: dict[str, Act] = attrs.field(factory=dict)
    _asks: dict[int, _Ask] = attrs.field(factory=dict)
    _numbers: count[int] = attrs.field(factory=lambda: count(getrandbits(48)))
    """From anywhere: another process had this place before, and answers to it may still be on their way."""
    _answering: int = 0

    def listen(self, topic: str, heard: Heard) -> None:
        """`heard(sender, payload)` for all that is told under `topic`. A topic has one listener (ValueError)."""
        if topic in self._heard:
            raise ValueError(f"somebody listens to {topic!r} already")
        self._heard[topic] = heard

    def answer(self, topic: str, act: Act) -> None:
        """`await act(sender, payload)` answers asks under `topic`. A topic has one who answers (ValueError)."""
        if topic in self._acts:
            raise ValueError(f"somebody answers {topic!r} already")
        self._acts[topic] = act

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes:
        """Raises BusFault. Cancelled: the other end may still do what was asked."""
        number, ask = next(self._numbers), _Ask(to)
        self._asks[number] = ask
        try:
            if not self.send(Frame(Kind.ASK, self.me, to, topic, payload, number)):
                raise BusFault(f"{topic}: no room to ask {to}")
            with trio.move_on_after(timeout_s):
                await ask.done.wait()
        finally:
            del self._asks[number]
        if ask.answer is None:
            raise BusFault(f"{topic}: {ask.fault or f'no answer from {to} within {timeout_s:g} s'}")
        return ask.answer

    def lose(self, gone: int | None = None) -> None:
        """Asks of `gone` (None: of anybody) will not be answered."""
        for ask in self._asks.values():
            if gone is None or ask.to == gone:
                ask.end(None, f"{ask.to} is gone")

    def take(self, frame: Frame, nursery: trio.Nursery) -> None:
        """What came for us. Never raises. Answers are made in `nursery`."""
        if frame.kind is Kind.TELL:
            self._hear(frame)
        elif frame.kind is Kind.ASK:
            nursery.start_soon(self._answer, frame, name=f"answer {frame.topic}")
        elif (ask := self._asks.get(frame.number)) is not None and ask.to == frame.sender:
            answered = frame.kind is Kind.ANSWER
            ask.end(frame.payload if answered else None, "" if answered else frame.payload.decode(errors="replace"))

    def _hear(self, frame: Frame) -> None:
        heard = self._heard.get(frame.topic)
        if heard is not None:
            contained(frame.topic, heard, frame.sender, frame.payload)

    async def _answer(self, ask: Frame) -> None:
        kind, payload = await self._acted(ask)
        self.send(Frame(kind, self.me, ask.sender, ask.topic, payload, ask.number))

    async def _acted(self, ask: Frame) -> tuple[Kind, bytes]:
        act = self._acts.get(ask.topic)
        if act is None or self._answering >= MOST_ANSWERS:
            return Kind.REFUSAL, b"nobody answers that" if act is None else b"too many asks at once"
        self._answering += 1
        try:
            return _fitting(await act(ask.sender, ask.payload))
        except Exception as fault:
            if not isinstance(fault, BusFault):
                log.exception("bus.answer_failed", topic=ask.topic, sender=ask.sender)
            return Kind.REFUSAL, f"{type(fault).__name__}: {fault}".encode(errors="replace")
        finally:
            self._answering -= 1


def _fitting(payload: bytes) -> tuple[Kind, bytes]:
    if len(payload) > MAX_PAYLOAD:
        return Kind.REFUSAL, b"an answer of %d bytes is too large" % len(payload)
    return Kind.ANSWER, payload


def contained(what: str, call: Callable[..., None], *args: object) -> None:
    """Call it; what it raises is logged and ends here: one who listens must not silence the others."""
    try:
        call(*args)
    except Exception:
        log.exception("bus.listener_failed", topic=what)

"""The calls of all workers, for whoever is looked at: each tells the others once a second what is new with it.

    run ── every second ── what changed ──► the others: `HeardFigures` ──► `directory`, a copy with the sums
    fresh ── asks all to tell now, and waits until they have, a second at most ──► the same copy

Nothing on a call's path knows of it. A turn looks at each method's counters and tells of `ROWS_AT_ONCE` at most, the
longest untold first, so that a large and busy node is told in several turns.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterator
from math import inf
from secrets import token_hex
from typing import Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.usage import Usage
from lasso_trio.workers import figure_sums
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.figures import CandidateFigures, ChainFigures, Figures, Gone, RowFigures
from lasso_trio.workers.heard_figures import HeardFigures, Key
from lasso_trio.workers.topics import BusFault
from lasso_trio.workers.whole_directory import WholeDirectory

FIGURES: Final = "figures"
GONE: Final = "figures.gone"
NOW: Final = "figures.now"
EVERY_S: Final = 1.0
PATIENCE_S: Final = 1.0
FRESH_S: Final = 0.1
KEPT_S: Final = 0.25
"""A copy of the directory is good for so long, unless something was asked for."""
ROWS_AT_ONCE: Final = 400
SLICE: Final = 50

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Figures).decode
_decode_gone: Final = msgspec.msgpack.Decoder(Gone).decode


Marks = tuple[float, ...]
"""A few counters: what stands for the whole when it is asked whether something is new."""
NEVER: Final[tuple[int, Marks]] = (0, ())


@attrs.define(eq=False)
class FigureShare:
    """Made before the bus runs. `directory` serves here; `usage` reads this process, at a time."""

    bus: Bus
    serving: Callable[[], Directory]
    usage: Callable[[float], Usage] = lambda _: Usage(os.getpid())
    heard: HeardFigures = attrs.field(factory=HeardFigures)
    life: str = attrs.field(factory=lambda: token_hex(6))
    _told: dict[Key, tuple[int, Marks]] = attrs.field(factory=dict)
    """In which turn, and what: only what differs is told."""
    _turns: int = 0
    _whole: tuple[int, float, Directory] | None = None
    _used: tuple[float, Usage] | None = None
    _turn: trio.Lock = attrs.field(factory=trio.Lock)
    _asking: trio.Lock = attrs.field(factory=trio.Lock)
    _asked_at: float = -inf

    def __attrs_post_init__(self) -> None:
        self.bus.listen(FIGURES, self._hear)
        self.bus.listen(GONE, lambda _, payload: self.heard.take_gone(_decode_gone(payload)))
        self.bus.answer(NOW, self._tell_now)
        self.bus.on_join(self._welcome)
        self.bus.on_leave(self.heard.lose)

    # -- telling ------------------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await trio.sleep(EVERY_S)
            await self._tell()

    async def _tell(self) -> None:
        async with self._turn:
            if self.bus.others:
                self.bus.tell(FIGURES, _encode(await self._news()))

    async def _tell_now(self, sender: int, payload: bytes) -> bytes:
        """What is told before the answer is heard before it."""
        await self._tell()
        return b""

    def _welcome(self, worker: int) -> None:
        """Everything is told again in the next turns; of those that are gone, the keeping worker knows."""
        self._told.clear()
        if self.bus.keeping:
            self.bus.tell(GONE, _encode(self.heard.gone()), worker)

    async def _news(self) -> Figures:
        directory, now = self.serving(), trio.current_time()
        self._turns += 1
        chains, candidates = self._chains(directory, now)
        return Figures(self.life, self.usage(now), chains, candidates, await self._rows(directory, now))

    def _chains(self, directory: Directory, now: float) -> tuple[list[ChainFigures], list[CandidateFigures]]:
        chains, candidates = list[ChainFigures](), list[CandidateFigures]()
        for routed in directory.chains():
            who, counts = (routed.profile.slug, routed.chain.key), routed.counts
            hedges = counts.hedges
            marks: Marks = (
                counts.calls,
                counts.errors,
                counts.failovers,
                counts.cancelled,
                counts.limited,
                hedges.fired,
            )
            if self._is_news(who, (*marks, hedges.in_flight)):
                chains.append(figure_sums.of_chain(routed, now))
            for candidate in routed.candidates:
                tally = candidate.tally
                marks = (tally.attempts, tally.answered, tally.failures, tally.throttled)
                if self._is_news((*who, candidate.label), marks):
                    candidates.append(figure_sums.of_candidate(routed, candidate, now))
        return chains, candidates

    async def _rows(self, directory: Directory, now: float) -> list[RowFigures]:
        """Others run in between."""
        news = [row async for row in self._changed(directory)]
        news.sort(key=lambda row: row[0])
        rows = list[RowFigures]()
        for number, (_, channel, method) in enumerate(news[:ROWS_AT_ONCE], 1):
            evidence = channel.evidence[method]
            self._told[_row_key(channel, method)] = self._turns, _marks(evidence)
            rows.append(figure_sums.of_row(channel, method, evidence, now))
            if number % SLICE == 0:
                await trio.lowlevel.checkpoint()
        return rows

    async def _changed(self, directory: Directory) -> AsyncGenerator[tuple[int, Channel, str], None]:
        """With the turn in which each was told last."""
        for number, (channel, method) in enumerate(_methods(directory), 1):
            last, marks = self._told.get(_row_key(channel, method), NEVER)
            if marks != _marks(channel.evidence[method]):
                yield last, channel, method
            if number % (4 * SLICE) == 0:
                await trio.lowlevel.checkpoint()

    def _is_news(self, key: Key, marks: Marks) -> bool:
        """What was never told and would say nothing is none."""
        last, told = self._told.get(key, NEVER)
        if told == marks or (not last and not any(marks)):
            return False
        self._told[key] = self._turns, marks
        return True

    # -- hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, sender: int, payload: bytes) -> None:
        self.heard.take(sender, _decode(payload), trio.current_time())

    def directory(self) -> Directory:
        """A copy of the serving one with the figures of all workers, as heard last. For looking at."""
        serving, now = self.serving(), trio.current_time()
        if self._whole is None or self._whole[0] != id(serving) or now - self._whole[1] >= KEPT_S:
            self._whole = (id(serving), now, WholeDirectory(self.heard).of(serving, now))
        return self._whole[2]

    async def fresh(self) -> Directory:
        """As `directory`, a tenth of a second old at most. Who does not answer within a second is in it as it was heard
        last. Who comes while others wait is shown what they are.
        """
        async with self._asking:
            if trio.current_time() - self._asked_at >= FRESH_S:
                async with trio.open_nursery() as nursery:
                    for worker in self.bus.others:
                        nursery.start_soon(self._ask, worker)
                self._asked_at, self._whole = trio.current_time(), None
        return self.directory()

    async def _ask(self, worker: int) -> None:
        try:
            await self.bus.ask(NOW, b"", worker, PATIENCE_S)
        except BusFault:
            return  # it is shown as it was heard last

    def usages(self) -> dict[int, Usage]:
        """Of each worker's process, by its number; this one's as of a quarter of a second ago at most."""
        now = trio.current_time()
        if self._used is None or now - self._used[0] >= KEPT_S:
            self._used = (now, self.usage(now))
        others = {worker: life.usage for worker, life in self.heard.lives.items()}
        return dict(sorted({**others, self.bus.worker: self._used[1]}.items()))


def _row_key(channel: Channel, method: str) -> Key:
    return (channel.instance_id, channel.transport.value, method, "row")


def _marks(evidence: Evidence) -> Marks:
    return (evidence.successes_total, evidence.failures_total)


def _methods(directory: Directory) -> Iterator[tuple[Channel, str]]:
    for instance in tuple(directory.registry.instances.values()):
        for channel in instance.channels.values():
            for method in tuple(channel.evidence):
                yield channel, method

"""What a worker has heard of the others' calls, and what stays of those that are gone. Pure: the clock is passed in.

One life of a worker is counted once, whether it is still there or gone: who joins is told by the keeping worker of the
lives that ended before, and so may hear of one twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs

from lasso_trio.telemetry.usage import Usage
from lasso_trio.workers.figure_sums import candidates_of_the_gone, chains_of_the_gone, rows_of_the_gone
from lasso_trio.workers.figures import CandidateFigures, ChainFigures, Figures, Gone, RowFigures

LIVES_KEPT: Final = 4096

Key = tuple[str, ...]
Told = TypeVar("Told", ChainFigures, CandidateFigures, RowFigures)
Timed = dict[Key, tuple[Told, float]]


def chain_key(each: ChainFigures) -> Key:
    return (each.profile, each.chain)


def candidate_key(each: CandidateFigures) -> Key:
    return (each.profile, each.chain, each.label)


def row_key(each: RowFigures) -> Key:
    return (each.instance, each.transport, each.method)


@attrs.define(eq=False)
class Life:
    """One process of a worker: the newest that it told, each with the time when it was heard."""

    id: str
    usage: Usage
    chains: Timed[ChainFigures] = attrs.field(factory=dict)
    candidates: Timed[CandidateFigures] = attrs.field(factory=dict)
    rows: Timed[RowFigures] = attrs.field(factory=dict)

    def take(self, figures: Figures, now: float) -> None:
        self.usage = figures.usage
        self.chains |= {chain_key(each): (each, now) for each in figures.chains}
        self.candidates |= {candidate_key(each): (each, now) for each in figures.candidates}
        self.rows |= {row_key(each): (each, now) for each in figures.rows}


@attrs.define(eq=False)
class HeardFigures:
    """`lives` by worker. `_gone`: the sums of those that ended."""

    lives: dict[int, Life] = attrs.field(factory=dict)
    _ended: dict[str, None] = attrs.field(factory=dict)
    _gone: Life = attrs.field(factory=lambda: Life("", Usage(0)))
    _methods: dict[Key, dict[str, None]] = attrs.field(factory=dict)
    """By channel, of anybody; in the order of hearing."""

    def take(self, worker: int, figures: Figures, now: float) -> None:
        """`worker` told something."""
        life = self.lives.get(worker)
        if life is None or life.id != figures.life:
            self.lose(worker)
            life = self.lives[worker] = Life(figures.life, figures.usage)
        life.take(figures, now)
        self._note(figures.rows)

    def lose(self, worker: int) -> None:
        """It is gone: what it counted stays, what it was doing does not."""
        life = self.lives.pop(worker, None)
        if life is not None and life.id not in self._ended:
            self._end([life.id], _values(life.chains), _values(life.candidates), _values(life.rows))

    def gone(self) -> Gone:
        """For one who joins."""
        gone = self._gone
        return Gone(list(self._ended), _values(gone.chains), _values(gone.candidates), _values(gone.rows))

    def take_gone(self, told: Gone) -> None:
        """Of a worker that was there before. Who knows of more has been there longer, and keeps what it knows."""
        if len(self._ended) < len(told.lives):
            self._ended, self._gone = {}, Life("", Usage(0))
            self._end(told.lives, told.chains, told.candidates, told.rows)
            self.lives = {worker: life for worker, life in self.lives.items() if life.id not in self._ended}

    def _end(
        self,
        lives: Iterable[str],
        chains: Iterable[ChainFigures],
        candidates: Iterable[CandidateFigures],
        rows: Iterable[RowFigures],
    ) -> None:
        rows = list(rows)
        self._ended |= dict.fromkeys(lives)
        while len(self._ended) > LIVES_KEPT:
            del self._ended[next(iter(self._ended))]
        _add(self._gone.chains, chains, chain_key, chains_of_the_gone)
        _add(self._gone.candidates, candidates, candidate_key, candidates_of_the_gone)
        _add(self._gone.rows, rows, row_key, rows_of_the_gone)
        self._note(rows)

    def _note(self, rows: Iterable[RowFigures]) -> None:
        for row in rows:
            self._methods.setdefault((row.instance, row.transport), {})[row.method] = None

    def all(self) -> list[Life]:
        return [*self.lives.values(), self._gone]

    # -- as `whole_directory.Others` ----------------------------------------------------------------------------------

    def chain(self, profile: str, chain: str) -> list[tuple[ChainFigures, float]]:
        return [found for life in self.all() if (found := life.chains.get((profile, chain)))]

    def candidate(self, profile: str, chain: str, label: str) -> list[tuple[CandidateFigures, float]]:
        return [found for life in self.all() if (found := life.candidates.get((profile, chain, label)))]

    def methods(self, instance: str, transport: str) -> list[str]:
        return list(self._methods.get((instance, transport), ()))

    def row(self, instance: str, transport: str, method: str) -> list[tuple[RowFigures, float]]:
        return [found for life in self.all() if (found := life.rows.get((instance, transport, method)))]

    def in_flight(self, instance: str, transport: str) -> int:
        return sum(life.usage.in_flight.get(f"{instance} {transport}", 0) for life in self.lives.values())


def _values(timed: Timed[Told]) -> list[Told]:
    return [figures for figures, _ in timed.values()]


def _add(
    sums: Timed[Told], more: Iterable[Told], key: Callable[[Told], Key], both: Callable[[Told, Told | None], Told]
) -> None:
    """What was heard of those that are gone has no time: its windows and rates are over."""
    for each in more:
        before = sums.get(key(each))
        sums[key(each)] = both(each, None if before is None else before[0]), 0.0

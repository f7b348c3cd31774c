"""A reload of the whole node: whichever worker is asked, the parent has all of them do it and answers for all.

    admin API ─► worker ─ ask "reload" ─► parent ─ ask "reload.here" ─► each worker      SIGHUP, file change ─► parent

The result is one: accepted when all accepted, with everybody's problems. Where some accepted and some did not (a file
that was being written, a time-out), those that did not are asked once more: workers of one node should serve the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import attrs
import msgspec
import structlog
import trio

from lasso_trio.config.reload import ReloadResult
from lasso_trio.errors import Problem
from lasso_trio.workers.bus import PARENT, Bus, BusFault
from lasso_trio.workers.switch import Switch

ALL: Final = "reload"
HERE: Final = "reload.here"
EACH_S: Final = 30.0
"""So long one worker may take; it probes new providers before it serves them."""
AGAIN_S: Final = 0.5
ALL_S: Final = 2 * EACH_S + 5

encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(ReloadResult).decode
log = structlog.get_logger(__name__)


def merged(results: Mapping[int, ReloadResult]) -> ReloadResult:
    """By worker, not empty. A problem that not all have is told with the worker's number."""
    first = results[min(results)]
    if all(result.accepted for result in results.values()):
        return first
    if all(result.problems == first.problems for result in results.values()):
        return first
    refused = {worker: result for worker, result in results.items() if not result.accepted}
    problems = tuple(_whose(worker, problem) for worker in sorted(refused) for problem in refused[worker].problems)
    return attrs.evolve(first, accepted=False, problems=problems)


def _whose(worker: int, problem: Problem) -> Problem:
    return attrs.evolve(problem, file=f"worker {worker}: {problem.file}")


# -- in a worker ------------------------------------------------------------------------------------------------------


async def reload_node(bus: Bus, why: str) -> ReloadResult:
    """Have all workers read the profiles again. Raises only Cancelled."""
    try:
        return decode(await bus.ask(ALL, why.encode(), PARENT, ALL_S))
    except BusFault as fault:
        return _unanswered(str(fault))


def answer_here(bus: Bus, reload: Callable[[str], Awaitable[ReloadResult]]) -> None:
    """`reload` is this worker's own."""

    async def act(_: int, why: bytes) -> bytes:
        return encode(await reload(why.decode()))

    bus.answer(HERE, act)


# -- in the parent ----------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class NodeReload:
    """One at a time. `last`: when the last one began (trio's clock)."""

    switch: Switch
    last: float = -1.0
    _one: trio.Lock = attrs.field(factory=trio.Lock)

    def serve(self) -> None:
        """Answer workers that are asked to reload the node."""

        async def act(_: int, why: bytes) -> bytes:
            return encode(await self.all(why.decode()))

        self.switch.answer(ALL, act)

    async def all(self, why: str) -> ReloadResult:
        """Every worker that takes calls. Raises only Cancelled."""
        async with self._one:
            self.last = trio.current_time()
            results = await self._round(self.switch.ready, why)
            refused = [worker for worker, result in results.items() if not result.accepted]
            if 0 < len(refused) < len(results):
                await trio.sleep(AGAIN_S)
                results |= await self._round([worker for worker in refused if worker in self.switch.ready], why)
        return self._told(why, results)

    async def _round(self, workers: Iterable[int], why: str) -> dict[int, ReloadResult]:
        results: dict[int, ReloadResult] = {}
        async with trio.open_nursery() as nursery:
            for worker in workers:
                nursery.start_soon(self._note, worker, why, results)
        return results

    async def _note(self, worker: int, why: str, results: dict[int, ReloadResult]) -> None:
        try:
            results[worker] = decode(await self.switch.ask(HERE, why.encode(), worker, EACH_S))
        except BusFault as fault:
            results[worker] = _unanswered(str(fault))

    def _told(self, why: str, results: Mapping[int, ReloadResult]) -> ReloadResult:
        if not results:
            return _unanswered("no worker takes calls")
        accepted = sorted(worker for worker, result in results.items() if result.accepted)
        if accepted and len(accepted) < len(results):
            log.error("config.divided", why=why, accepted=accepted, refused=sorted(set(results) - set(accepted)))
        return merged(results)


def _unanswered(what: str) -> ReloadResult:
    return ReloadResult(False, 0, problems=(Problem("reload", None, what),))

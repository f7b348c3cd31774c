"""All endpoints, a few at a time; their heads in one moment at the end, so that lag means something.

The nursery tree: one task per endpoint behind a limiter, and in each a nursery for its two transports. Findings come in
the order of the targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Final

import attrs
import trio

from lasso_trio.probe import steps, websocket
from lasso_trio.probe.asker import Asker, Counter, Manners
from lasso_trio.probe.finding import Finding, with_lags
from lasso_trio.probe.methods import trials
from lasso_trio.probe.target import Target


class Check(StrEnum):
    """What may be asked for with `--only`; who answers, and on which chain, is always asked."""

    LATENCY = "latency"
    HEAD = "head"
    ARCHIVE = "archive"
    LOGS = "logs"
    BATCH = "batch"
    METHODS = "methods"
    WEBSOCKET = "websocket"


ALL_CHECKS: Final = frozenset(Check)
Tell = Callable[[int, int, str], None]
"""Progress: the index of a target, steps done, and what is being asked now (empty: it is done)."""


@attrs.frozen
class Order:
    """What to find out, and how. `at_once`: endpoints asked at the same time."""

    checks: frozenset[Check] = ALL_CHECKS
    level: str = "standard"
    manners: Manners = attrs.field(factory=Manners)
    at_once: int = 5

    @property
    def steps(self) -> int:
        """How many steps one endpoint takes, for progress."""
        return 2 + len(self.checks) + (len(trials(self.level)) if Check.METHODS in self.checks else 0)


def _silent(_index: int, _steps: int, _what: str) -> None:
    pass


async def probe(targets: Sequence[Target], order: Order, tell: Tell = _silent) -> tuple[Finding, ...]:
    """Ask them all. Endpoints that fail are findings too; raises nothing but what cancels."""
    counters = [Counter() for _ in targets]
    async with AsyncExitStack() as stack:
        askers = [
            None if target.url is None else await stack.enter_async_context(Asker.open(target, order.manners, counter))
            for target, counter in zip(targets, counters, strict=True)
        ]
        examinations = [
            Examination(target, order, counter, asker, index, tell)
            for index, (target, counter, asker) in enumerate(zip(targets, counters, askers, strict=True))
        ]
        await _examine_all(examinations, order.at_once)
        heads = await _heads(examinations) if Check.HEAD in order.checks else [None for _ in targets]
    found = (attrs.evolve(each.found, spent=each.counter.snapshot()) for each in examinations)
    return with_lags(tuple(found), tuple(heads))


@attrs.define(eq=False)
class Examination:
    """One endpoint being asked; `found` grows. `asker` None: it has no HTTP."""

    target: Target
    order: Order
    counter: Counter
    asker: Asker | None
    index: int
    tell: Tell
    found: Finding = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        target = self.target
        self.found = Finding(
            target.name,
            target.chain,
            target.shown,
            expected_chain_id=target.chain_id,
            needs_websocket=target.ws_given,
        )

    async def run(self, limiter: trio.CapacityLimiter) -> None:
        """Every check of the order; a check that crashes ends as this endpoint's problem (containment is here)."""
        async with limiter:
            try:
                async with trio.open_nursery() as nursery:
                    if self._wants_websocket:
                        nursery.start_soon(self._websocket, name=f"probe {self.target.name} ws")
                    await self._http()
            except* Exception as group:
                self._note(problem=self.target.clean(f"the probe itself failed: {group.exceptions[0]!r}"))
            self._say("")

    @property
    def _wants_websocket(self) -> bool:
        """Who has nothing else is asked there who it is, whatever the checks are."""
        return self.target.ws_url is not None and (self.asker is None or Check.WEBSOCKET in self.order.checks)

    async def head(self) -> int | None:
        """The head now."""
        if self.asker is None or self.found.head is None:
            return None
        answer = await self.asker.ask("eth_blockNumber", [])
        return steps.quantity(answer.result)

    async def _websocket(self) -> None:
        found = await websocket.check(self.target, self.order.manners, self.counter)
        self._note(websocket=found)
        if self.asker is None:
            problem = "" if found.connected else found.problem
            self._note(chain_id=found.chain_id, problem=problem)

    async def _http(self) -> None:
        if self.asker is None:
            return
        self._say("chain id")
        answer = await self.asker.ask("eth_chainId", [])
        chain_id = steps.quantity(answer.result)
        if chain_id is None:
            words = "eth_chainId answered with something else" if answer.good else answer.words
            self._note(problem=self.target.clean(words))
            return
        self._note(chain_id=chain_id, client=await steps.client_version(self.asker))
        await self._measures(self.asker)
        await self._limits(self.asker)

    async def _measures(self, asker: Asker) -> None:
        checks = self.order.checks
        if Check.LATENCY in checks:
            self._say("latency")
            self._note(latency=await steps.measure(asker))
        if checks & {Check.HEAD, Check.ARCHIVE, Check.LOGS}:
            self._say("head")
            head, http = await steps.newest(asker)
            self._note(head=head, http=http)

    async def _limits(self, asker: Asker) -> None:
        checks, head = self.order.checks, self.found.head
        if Check.ARCHIVE in checks and head is not None:
            self._say("archive depth")
            self._note(archive=await steps.archive_depth(asker, head.number))
        if Check.LOGS in checks and head is not None:
            self._say("log range")
            await self._logs(asker, head.number)
        if Check.BATCH in checks:
            self._say("batches")
            self._note(batch=await steps.batch_size(asker))
        if Check.METHODS in checks:
            self._say("methods")
            self._note(methods=await steps.try_methods(asker, self.order.level, lambda: self._say("methods")))

    async def _logs(self, asker: Asker, head: int) -> None:
        bound, learned = await steps.log_range(asker, head)
        self._note(log_range=bound, learned=learned)
        if self.order.level == "full" and bound.limit:
            self._note(learned=learned | await steps.log_results(asker, head, bound.limit))

    def _note(self, **found: object) -> None:
        self.found = attrs.evolve(self.found, **found)  # type: ignore[arg-type]

    def _say(self, what: str) -> None:
        self.tell(self.index, 1, what)


async def _examine_all(examinations: Sequence[Examination], at_once: int) -> None:
    limiter = trio.CapacityLimiter(max(1, at_once))
    async with trio.open_nursery() as nursery:
        for each in examinations:
            nursery.start_soon(each.run, limiter, name=f"probe {each.target.name}")


async def _heads(examinations: Sequence[Examination]) -> list[int | None]:
    """Asked of all at the same time: a lag between two moments would be the chain's growth."""
    heads: list[int | None] = [None for _ in examinations]

    async def ask(index: int, examination: Examination) -> None:
        heads[index] = await examination.head()

    async with trio.open_nursery() as nursery:
        for index, each in enumerate(examinations):
            nursery.start_soon(ask, index, each)
    return heads

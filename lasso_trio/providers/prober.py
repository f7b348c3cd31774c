"""Looks at one instance, again and again: is it the right chain, does it live, where is its head.

A round goes straight through the channel's pool with a deadline of its own: it counts in nobody's tallies and in no
evidence, but in `calls` and in the instance's budget: when a day's is spent, nobody looks until there is some again.
What the breaker hears of it is `probe_witness`'s business. An instance of a wrong chain is quarantined and shouted
about until it says otherwise. Never raises but `Cancelled`: what an instance answers is data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from math import inf
from random import Random
from typing import Final, NoReturn

import attrs
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.jsonrpc.reply import encode_request
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.classify import Category
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.hour_count import HourCount
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer, failure, faulted, read
from lasso_trio.providers.probe_chain import ChainWatch
from lasso_trio.providers.probe_schedule import EXTRAS, IDLE_S, TRIAL_S, ProbeSchedule, Question
from lasso_trio.providers.probe_witness import Witness
from lasso_trio.upstream.faults import Expired, UpstreamFault
from lasso_trio.upstream.http1 import Pool

TIMEOUT_S: Final = 5.0
LOOK_S: Final = 2.0
"""How often a prober of an idle chain looks whether the clients are back."""
NOT_AFFORDED: Final = "the day's allowance is spent: nobody looks until there is some again"

_ids: Final = count(1 << 40)  # far from those of the calls


class Step(StrEnum):
    """How a round goes on after a question."""

    NEXT = "next"
    ENOUGH = "enough"
    """It lives; the rest can wait for another round."""
    STOP = "stop"


def unix_time() -> float:
    return datetime.now(UTC).timestamp()


def nobody() -> int:
    """No client is known of: the chain is idle from the start of the idle time on."""
    return 0


@attrs.define(eq=False, repr=False)
class Prober:
    """`channel`: an HTTP channel, of the instance that `head` tells of. `activity`: moves with every client's call.

    `settled` is set when the first round is over. `wall` is Unix time, for the age of blocks and for dates. `rules`:
    what the profiles that name the instance say of its errors.
    """

    channel: Channel
    head: Head
    chain_id: int
    schedule: ProbeSchedule
    activity: Callable[[], int] = nobody
    rng: Random = attrs.field(factory=Random)
    wall: Callable[[], float] = unix_time
    rules: tuple[ErrorRule, ...] = ()
    calls: HourCount = attrs.field(factory=HourCount)
    last_error: str = ""
    last_s: float | None = None
    """How long the last good answer took."""
    settled: trio.Event = attrs.field(factory=trio.Event)
    _witness: Witness = attrs.field(init=False)
    _chain: ChainWatch = attrs.field(init=False)
    _active_at: float = -inf
    _seen: int = -1
    _dozing: bool = False

    def __attrs_post_init__(self) -> None:
        if self.head.check is ChainCheck.TRUSTED:  # else another process has looked, and this one goes on
            self.head.check = ChainCheck.PENDING
        self._witness = Witness(self.channel.breaker)
        self._chain = ChainWatch(self.channel, self.head, self.chain_id, self._witness)

    def __repr__(self) -> str:
        return f"<Prober {self.channel.instance_id} {self.schedule.status}>"

    async def run(self) -> NoReturn:
        """Round after round, until cancelled."""
        try:
            while True:
                await self.round()
                self.head.touched()
                self.settled.set()
                await self._rest()
        finally:
            self.settled.set()

    def touch(self, now: float) -> None:
        """Somebody looks at the instance: go on as if clients used its chain, for as long as that is said again."""
        self._active_at = now

    async def round(self) -> None:
        """Ask what is due. Ends at the first question that fails."""
        step, proven, idle = Step.NEXT, None, self._idle(trio.current_time())
        for question in self.schedule.questions(self.head.check, idle=idle):
            step = await self._asked(question)
            if step is not Step.NEXT:
                break
            proven = self._dialled if question is Question.CHAIN_ID else proven
        if step is Step.NEXT and proven not in (None, self._dialled):
            step = await self._asked(Question.CHAIN_ID)  # who answered the rest may not be who told the chain
        if step is not Step.STOP:
            self.schedule.succeeded()
            self.last_error = ""

    @property
    def _dialled(self) -> int:
        return self._pool.counters.opened

    @property
    def _pool(self) -> Pool:
        assert isinstance(self.channel.pool, Pool), "only HTTP channels are probed, and they have their pool for good"
        return self.channel.pool

    # One question…

    async def _asked(self, question: Question) -> Step:
        started = trio.current_time()
        if self.channel.budget is not None and not self.channel.budget.affords_probe(question.method, started):
            self.last_error = NOT_AFFORDED
            return Step.STOP
        trial = self._witness.take_trial(started)
        try:
            answer = await self._ask(question, started)
        except BaseException:
            if trial:
                self.channel.breaker.cancelled(started)
            raise
        now = trio.current_time()
        if answer.kind in (Kind.GOOD, Kind.UNANSWERED):
            self.last_s = now - started
            self._witness.success(started, now, trial)
            self._learn(question, answer, now)
            return Step.STOP if self.head.check is ChainCheck.WRONG else Step.NEXT
        self.last_error = answer.words
        if question in EXTRAS and answer.kind is Kind.FAILED and not trial:
            return self._do_without(question, answer)
        self._count_failure(answer)
        self._blame(question, answer, started, now, trial)
        return Step.STOP

    async def _ask(self, question: Question, started: float) -> ProbeAnswer:
        pool, id_, (method, params) = self._pool, next(_ids), question.call
        self._pay(question, started)
        try:
            http = await pool.exchange(encode_request(id_, method, params), replay_safe=True, until=started + TIMEOUT_S)
        except Expired as fault:
            return failure(Category.LOCAL_CAPACITY if fault.local else Category.TIMEOUT, str(fault))
        except UpstreamFault as fault:
            return faulted(fault)
        if http.rest is not None:
            await http.rest.aclose()
            return failure(Category.PROVIDER_ERROR, f"{question} answered with too much")
        body = pool.endpoint.without_keys(http.body)
        answer = read(question, http.status, body, id_, self.wall(), http.header, self.rules)
        if answer.foreign:
            pool.distrust(http)
        return answer

    def _pay(self, question: Question, now: float) -> None:
        self.calls.add(now)
        budget = self.channel.budget
        if budget is None:
            return
        ranked_last = budget.over(now)
        if budget.spend(question.method, now) and not ranked_last:
            self.channel.version.bump()

    def _count_failure(self, answer: ProbeAnswer) -> None:
        match answer.kind:
            case Kind.THROTTLED:
                self.schedule.throttled(answer.hint_s)
            case Kind.REFUSED:
                self.schedule.refused()
            case _:
                self.schedule.failed(self.rng, at_once=answer.at_once)

    def _blame(self, question: Question, answer: ProbeAnswer, started: float, now: float, trial: bool) -> None:
        channel, verdict = self.channel, answer.verdict
        assert verdict is not None, "every failure has a verdict"
        if verdict.kind != "quota":
            self._witness.failure(verdict.category, started, now, self.rng, self.schedule.failures, trial)
            return
        if trial:
            channel.breaker.cancelled(started)
        if not channel.cooldown.active(now):
            hint = answer.hint
            channel.failed(question.method, verdict, now - started, now, hint.seconds, hint.per_second)

    # What is learnt…

    def _learn(self, question: Question, answer: ProbeAnswer, now: float) -> None:
        self.schedule.has(question)
        if question is Question.CHAIN_ID:
            self._check_chain(answer, now)
        elif answer.kind is Kind.UNANSWERED:
            self._not_there(question)
        elif question is Question.SYNCING:
            self.head.syncing = answer.syncing
        elif question is Question.SAFE:
            self.head.safe = answer.number
        elif question is Question.FINALIZED:
            self.head.finalized = answer.number
        else:
            age_s = None if answer.timestamp is None else self.wall() - answer.timestamp
            self.head.tell(answer.number or 0, now, self._pace(now), age_s)

    def _do_without(self, question: Question, answer: ProbeAnswer) -> Step:
        """One of the extras failed."""
        if answer.silent:
            if self.schedule.silent(question):
                self._forget(question)
            return Step.ENOUGH
        if self.schedule.erred(question):
            self._forget(question)
        return Step.NEXT

    def _not_there(self, question: Question) -> None:
        if question is not Question.HEIGHT:
            self.schedule.lacks(question)
            self._forget(question)

    def _forget(self, question: Question) -> None:
        """What it told once may be long past, and would hold the whole chain's back."""
        match question:
            case Question.SYNCING:
                self.head.syncing = False
            case Question.SAFE:
                self.head.safe = None
            case Question.FINALIZED:
                self.head.finalized = None

    def _check_chain(self, answer: ProbeAnswer, now: float) -> None:
        wrong = self._chain.check(answer, now)
        if wrong:
            self.last_error = wrong
            self.schedule.failed(self.rng)

    # Pauses…

    def _idle(self, now: float) -> bool:
        seen = self.activity()
        if seen != self._seen or self._active_at == -inf:
            self._seen, self._active_at = seen, now
        before, self._dozing = self._dozing, now - self._active_at >= IDLE_S
        if before and not self._dozing:
            self.schedule.look_deep()  # before the chain is used again, is it still the same?
        return self._dozing

    def _pace(self, now: float) -> float:
        return IDLE_S if self._idle(now) else self.schedule.interval_s

    async def _rest(self) -> None:
        """Until the next round is due, or the clients are back."""
        now = trio.current_time()
        idle = self._idle(now)
        due = now + min(self.schedule.wait_s(self.head.check, idle=idle), self._recovery_s(now))
        while idle and due - now > LOOK_S:
            await trio.sleep(LOOK_S)
            now = trio.current_time()
            if not self._idle(now):
                return
        await trio.sleep_until(due)

    def _recovery_s(self, now: float) -> float:
        """An instance that answers is looked at as soon as its breaker may be closed."""
        if self.schedule.backoff_s or not self.head.check.may_serve:
            return inf
        return max(TRIAL_S, self._witness.due(now) - now)

"""Looks at one instance, again and again: is it the right chain, does it live, where is its head.

A round goes straight through the channel's pool with a deadline of its own: it counts in nobody's tallies and in no
evidence, but in `calls`. What the breaker hears of it is `probe_witness`'s business. An instance of a wrong chain is
quarantined and shouted about until it says otherwise. Never raises but `Cancelled`: what an instance answers is data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from math import inf
from random import Random
from typing import Final, NoReturn

import attrs
import structlog
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.jsonrpc.reply import encode_request
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.classify import Category, classify_fault
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.hour_count import HourCount
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer, failure, read
from lasso_trio.providers.probe_schedule import EXTRAS, IDLE_S, TRIAL_S, ProbeSchedule, Question
from lasso_trio.providers.probe_witness import Witness
from lasso_trio.upstream.faults import Expired, UpstreamFault

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 5.0
LOOK_S: Final = 2.0
"""How often a prober of an idle chain looks whether the clients are back."""
WRONG_CHAIN: Final = "wrong_chain"
SHOUT_EVERY: Final = 60
"""Rounds between two log lines about the same wrong chain."""

_ids: Final = count(1 << 40)  # far from those of the calls


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
    _shouts: int = 0
    _active_at: float = -inf
    _seen: int = -1

    def __attrs_post_init__(self) -> None:
        if self.head.check is ChainCheck.TRUSTED:  # else another process has looked, and this one goes on
            self.head.check = ChainCheck.PENDING
        self._witness = Witness(self.channel.breaker)

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

    async def round(self) -> None:
        """Ask what is due. Ends at the first question that fails."""
        for question in self.schedule.questions(self.head.check):
            if not await self._asked(question):
                return
        if self.head.check is not ChainCheck.WRONG:
            self.schedule.succeeded()
            self.last_error = ""

    # One question…

    async def _asked(self, question: Question) -> bool:
        """False when the round is over."""
        started = trio.current_time()
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
            return self.head.check is not ChainCheck.WRONG
        self.last_error = answer.words
        if question in EXTRAS and answer.kind is Kind.FAILED and not trial:
            self._not_there(question)
            return True
        self._count_failure(answer)
        self._blame(question, answer, started, now, trial)
        return False

    async def _ask(self, question: Question, started: float) -> ProbeAnswer:
        assert self.channel.pool is not None, "only channels with connections are probed"
        id_, (method, params) = next(_ids), question.call
        self.calls.add(started)
        try:
            http = await self.channel.pool.exchange(
                encode_request(id_, method, params), replay_safe=True, until=started + TIMEOUT_S
            )
        except Expired as fault:
            return failure(Category.LOCAL_CAPACITY if fault.local else Category.TIMEOUT, str(fault))
        except UpstreamFault as fault:
            return ProbeAnswer(Kind.FAILED, classify_fault(fault), words=str(fault))
        if http.rest is not None:
            await http.rest.aclose()
            return failure(Category.PROVIDER_ERROR, f"{question} answered with too much")
        body = self.channel.pool.endpoint.without_keys(http.body)
        answer = read(question, http.status, body, id_, self.wall(), http.header(b"retry-after"), self.rules)
        if answer.foreign:
            self.channel.pool.distrust(http)
        return answer

    def _count_failure(self, answer: ProbeAnswer) -> None:
        match answer.kind:
            case Kind.THROTTLED:
                self.schedule.throttled(answer.hint_s)
            case Kind.REFUSED:
                self.schedule.refused()
            case _:
                self.schedule.failed(self.rng)

    def _blame(self, question: Question, answer: ProbeAnswer, started: float, now: float, trial: bool) -> None:
        channel, verdict = self.channel, answer.verdict
        assert verdict is not None, "every failure has a verdict"
        if verdict.kind != "quota":
            self._witness.failure(verdict.category, started, now, self.rng, self.schedule.failures, trial)
            return
        if trial:
            channel.breaker.cancelled(started)
        if not channel.cooldown.active(now):
            channel.failed(question.call[0].decode().strip('"'), verdict, now - started, now, answer.hint_s)

    # What is learnt…

    def _learn(self, question: Question, answer: ProbeAnswer, now: float) -> None:
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

    def _not_there(self, question: Question) -> None:
        if question is not Question.HEIGHT:
            self.schedule.missing.add(question)
        if question is Question.SYNCING:
            self.head.syncing = False

    def _check_chain(self, answer: ProbeAnswer, now: float) -> None:
        if answer.number is not None and answer.number != self.chain_id:
            self._wrong(answer.number, now)
            return
        check = ChainCheck.RIGHT if answer.number is not None else ChainCheck.MUTE
        if check is ChainCheck.MUTE and self.head.check is not ChainCheck.MUTE:
            log.warning("probe.chain_unknown", said=answer.words, **self._who())
        self._settle(check, now)

    def _settle(self, check: ChainCheck, now: float) -> None:
        before, self.head.check, self.head.told_chain = self.head.check, check, None
        breaker = self.channel.breaker
        if breaker.reason == WRONG_CHAIN and breaker.state(now) is State.OPEN:  # perhaps by a prober before us
            breaker.release(now, "right chain again")
            self._witness.saw_failure()
        if before is check:
            return
        if before is ChainCheck.WRONG:
            log.warning("probe.right_chain", chain_id=self.chain_id, **self._who())
            self._shouts = 0
        self.channel.version.bump()

    def _wrong(self, told: int, now: float) -> None:
        breaker = self.channel.breaker
        news = self.head.told_chain != told
        self.head.check, self.head.told_chain = ChainCheck.WRONG, told
        self.last_error = f"wrong chain_id: got {told}, expected {self.chain_id}"
        self.schedule.failed(self.rng)
        if not (breaker.state(now) is State.OPEN and breaker.quarantined):
            breaker.quarantine(WRONG_CHAIN, now)
        if news:
            self._shouts = 0
            self.channel.version.bump()
        if self._shouts % SHOUT_EVERY == 0:
            log.error("probe.wrong_chain", got=told, expected=self.chain_id, origin=self.channel.origin, **self._who())
        self._shouts += 1

    # Pauses…

    def _idle(self, now: float) -> bool:
        seen = self.activity()
        if seen != self._seen or self._active_at == -inf:
            self._seen, self._active_at = seen, now
        return now - self._active_at >= IDLE_S

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

    def _who(self) -> dict[str, str]:
        return {"instance": self.channel.instance_id}

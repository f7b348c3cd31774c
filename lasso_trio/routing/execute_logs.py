"""`eth_getLogs`, whole if anybody takes it whole, else in parts that are put together again.

    somebody may take it ─► execute ─► answer, or an error about something else ─► as it came
                               └─ too large for all ─┐
    nobody takes it ─────────────────────────────────┴─► parts, 8 at a time ─► merge ─► one answer
                                                            └─ too large ─► smaller parts, down to one block and topic

Each part is a call of its own for `execute`, with the usual failover among those who take it; when it is lost it is
tried again, if the retry budget pays for that, and not the whole. All share the call's deadline and one budget of
parts. What is refused as too large is learned by the instance (`providers.learned`), so that the next call is cut right
at once. A lost part ends the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.jsonrpc.errors import SERVER_ERROR, RpcError, broken_reply, reply_too_large
from lasso_trio.jsonrpc.reply import ErrorObject
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.log_answer import BadLogs, answer, read_part
from lasso_trio.routing.log_branch import anchor_of, conflict_in
from lasso_trio.routing.log_filter import LogQuery
from lasso_trio.routing.log_plan import MAX_PARTS, begin, by_caps, keepers, plan_of, takers
from lasso_trio.routing.log_refusals import Refusals, cap_of
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.split import Cap, Log, Part, SeamConflict, cut, halve, halve_topics, merge

IN_FLIGHT: Final = 8
MAX_BYTES: Final = 128 * 1024 * 1024
MAX_ROUNDS: Final = 4
"""How often one part may be tried among all who take it."""
FIRST_PAUSE_S: Final = 0.05
"""Between the first two rounds; doubles."""
MAX_MERGES: Final = 3
_FINEST_SUGGESTION: Final = 64
"""A suggested range is about the query's beginning: it never makes more parts than this at once."""


async def execute_logs(call: Call, rng: Random) -> Outcome:
    """Carry out `call`, an eth_getLogs whose plan holds everybody. As `execute`; raises only Cancelled."""
    job, how = Job(call, rng, began=call.clock()), begin(call)
    if how.parts:
        return await job.collect(how.parts)
    whole = attrs.evolve(call, plan=how.plan)
    if how.query is None or not how.plan.ranked:
        return await execute(whole, rng)
    refusals = Refusals(how.query, call.clock, alone=False)
    whole.watch = refusals.hear
    outcome = await execute(whole, rng)
    refusals.conclude(outcome)
    parts = job.smaller(how.query, outcome, refusals, how.plan) if outcome.failed else []
    job.retries += outcome.retries
    return await job.collect(parts) if parts else outcome


@attrs.define(eq=False)
class Job:
    """One query on its way in parts. `found` are the parts answered and by whom; `lost` is what ended it early."""

    call: Call
    rng: Random
    began: float
    parts_left: int = MAX_PARTS
    retries: int = 0
    held: int = 0
    found: list[tuple[Part, Candidate | None]] = attrs.field(factory=list)
    lost: Outcome | None = None
    prefer: Candidate | None = None
    slots: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(IN_FLIGHT))

    async def collect(self, parts: Sequence[LogQuery]) -> Outcome:
        """Get `parts` and make one answer of them. Parts that do not fit together are asked for again."""
        for _ in range(MAX_MERGES):
            async with trio.open_nursery() as nursery:
                for part in parts:
                    nursery.start_soon(self._get, part, nursery)
            if self.lost is not None:
                return self.lost
            try:
                logs = await self._joined()
            except SeamConflict as conflict:
                block, parts = conflict.block, self._forget(conflict.since)
            else:
                return self._outcome(Outcome(answer(logs), candidate=self.found[-1][1]))
        return self._outcome(Outcome(error=_disagreement(block)))

    async def _joined(self) -> list[Log]:
        """All logs in order. Raises SeamConflict."""
        logs, anchor = merge([part for part, _ in self.found]), anchor_of(self.found)
        conflict = None if anchor is None else await conflict_in(self.call, self.rng, self.found, anchor)
        if conflict is not None:
            self.prefer = self.prefer or anchor
            raise conflict
        return logs

    async def _get(self, query: LogQuery, nursery: trio.Nursery) -> None:
        """One part: answered, cut into smaller ones, or lost and everything with it."""
        pause = FIRST_PAUSE_S
        for tries in range(1, MAX_ROUNDS + 1):
            async with self.slots:
                outcome, smaller = await self._ask(query)
            if smaller or not outcome.failed:
                for part in smaller:
                    nursery.start_soon(self._get, part, nursery)
                return
            if tries == MAX_ROUNDS or not _worth_repeating(outcome) or not self._may_repeat(pause):
                break
            self.retries += 1
            await trio.sleep(pause)
            pause *= 2
        self._lose(query, outcome, nursery)

    def _may_repeat(self, pause: float) -> bool:
        """Whether there is time after `pause`, and a token, which is paid here: without, an outage is multiplied."""
        now, retries = self.call.clock(), self.call.retries
        return now + pause < self.call.deadline and (retries is None or retries.pay(now))

    async def _ask(self, query: LogQuery) -> tuple[Outcome, list[LogQuery]]:
        """One round among those who take `query`: the outcome, or the smaller parts to ask for instead."""
        able = takers(self.call, query)
        if not able and (parts := self.by_caps(query, keepers(self.call, query))):
            return Outcome(), parts  # learned from others while this one waited
        if not able or self.parts_left <= 0:
            return Outcome(error=_too_many_parts()), []
        self.parts_left -= 1
        plan, refusals = plan_of(self.call, query, able), Refusals(query, self.call.clock, alone=True)
        outcome = await execute(self._part_of(query, plan, refusals), self.rng)
        self.retries += outcome.retries
        refusals.conclude(outcome)
        if outcome.failed:
            return outcome, self.smaller(query, outcome, refusals, plan)
        return self._keep(query, outcome), []

    def _part_of(self, query: LogQuery, plan: Plan, refusals: Refusals) -> Call:
        now = self.call.clock()
        return attrs.evolve(
            self.call, params=query.encode(), plan=plan, started=now, stream=False, prefer=self.prefer,
            watch=refusals.hear,
        )  # fmt: skip

    def _keep(self, query: LogQuery, outcome: Outcome) -> Outcome:
        """Check and keep an answer; the outcome again, or a failure if it is no good."""
        assert outcome.reply is not None, "a part is never passed through"
        try:
            part = read_part(query, outcome.reply)
        except BadLogs:
            return self._blamed(outcome)
        self.held += outcome.reply.result_size
        if self.held > MAX_BYTES:
            return Outcome(error=reply_too_large(), candidate=outcome.candidate)
        self.found.append((part, outcome.candidate))
        return outcome

    def _blamed(self, outcome: Outcome) -> Outcome:
        """The channel was told of a success; this tells it otherwise."""
        verdict, who = VERDICTS[Category.PROVIDER_ERROR], outcome.candidate
        if who is not None:
            who.tally.failures += 1
            who.channel.failed(self.call.method.row, verdict, 0.0, self.call.clock())
        return Outcome(error=broken_reply(), verdict=verdict, candidate=who)

    def _lose(self, query: LogQuery, outcome: Outcome, nursery: trio.Nursery) -> None:
        if self.lost is None:
            done = sum(part.query.blocks for part, _ in self.found)
            self.lost = self._outcome(attrs.evolve(outcome, reply=None, error=_part_lost(outcome, query, done)))
            nursery.cancel_scope.cancel("a part was lost")

    def _forget(self, block: int) -> list[LogQuery]:
        """Drop the parts that hold `block`, to be asked for again, all of one provider if that can be.

        The second time, everything from there on that others told: they follow another history.
        """
        held = [pair for pair in self.found if pair[0].query.last >= block]
        doubtful = [(part, who) for part, who in held if part.query.first <= block]
        if self.prefer is None:
            self.prefer = max(doubtful, key=lambda pair: pair[0].query.last)[1]
        else:
            doubtful += [pair for pair in held if pair[1] is not self.prefer and pair not in doubtful]
        self.found = [pair for pair in self.found if pair not in doubtful]
        self.retries += len(doubtful)
        return [part.query for part, _ in doubtful]

    def _outcome(self, outcome: Outcome) -> Outcome:
        """With the facts of the whole. Parts overlap: upstream time is from the first dispatch to the last answer."""
        now = self.call.clock()
        return attrs.evolve(
            outcome, reason="split", retries=self.retries, selection_s=self.began - self.call.started,
            upstream_s=now - self.began,
        )  # fmt: skip

    # Decisions

    def by_caps(self, query: LogQuery, among: Sequence[Candidate]) -> list[LogQuery]:
        return by_caps(self.call, query, among, self.parts_left)

    def smaller(self, query: LogQuery, outcome: Outcome, refusals: Refusals, asked: Plan) -> list[LogQuery]:
        """What to ask for after `query` failed: nothing if size is not the matter."""
        kept = keepers(self.call, query)
        if not refusals.too_large:
            others = [c for c in kept if c not in asked.ranked]
            return self.by_caps(query, others) if _worth_repeating(outcome) else []
        if refusals.topics and len(thin := halve_topics(query)) > 1:
            telling = [c for c in kept if cap_of(c, self.call.clock()).topics is not None]
            return self.by_caps(query, telling) or thin
        if refusals.suggested is not None and refusals.suggested < query.blocks:
            return cut(query, Cap(max(refusals.suggested, query.blocks // _FINEST_SUGGESTION)))
        able = takers(self.call, query)
        refusing = [c for c in kept if c not in able]
        if refusing and not refusals.dense:
            return self.by_caps(query, refusing)
        halves = [] if refusals.topics else halve(query)
        return halves if len(halves) > 1 else []


def _worth_repeating(outcome: Outcome) -> bool:
    verdict = outcome.verdict
    if verdict is None or verdict.failover == "once":
        return False
    return verdict.retriable and (verdict.kind != "capability" or verdict.category is Category.LOCAL_CAPACITY)


def _part_lost(outcome: Outcome, query: LogQuery, done: int) -> RpcError:
    """The upstream's own code and message (or ours); `data` tells which blocks failed and how many were had."""
    data: dict[str, object] = {
        "failed_range": {"fromBlock": hex(query.first), "toBlock": hex(query.last)},
        "blocks_done": done,
    }
    if outcome.error is not None:
        mine = outcome.error
        if mine.data is not None:
            data["reason"] = mine.data
        return RpcError(mine.code, mine.message, data, status=mine.status, category=mine.category)
    refused = outcome.reply.error if outcome.reply is not None else None
    assert refused is not None, "a lost part has an error"
    return _with_data(refused, data)


def _with_data(refused: ErrorObject, data: dict[str, object]) -> RpcError:
    if bytes(refused.data):
        data["upstream"] = msgspec.Raw(bytes(refused.data))
    return RpcError(refused.code, refused.text, data, category="upstream_error")


def _too_many_parts() -> RpcError:
    return RpcError(SERVER_ERROR, "Log query needs too many parts", {"most": MAX_PARTS}, category="split_limit")


def _disagreement(block: int) -> RpcError:
    return RpcError(
        SERVER_ERROR,
        f"Upstreams disagree on block {block}",
        {"block": hex(block), "reason": "reorganised_or_inconsistent"},
        category="seam_conflict",
    )

"""What the attempts of one `eth_getLogs` told about limits: remembered by the instance, used for the next cut."""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.providers.learned import DENSITY, SIZES, Kind, Learned
from lasso_trio.providers.limit_texts import read_limits
from lasso_trio.providers.verdict import ErrorClass, Verdict
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Clock
from lasso_trio.routing.log_filter import LogQuery, items
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.split import Cap


def cap_of(candidate: Candidate, now: float) -> Cap:
    """The profile's word and what was learned, whichever is less. Caps count blocks, both ends included."""
    learned = candidate.channel.learned
    span = candidate.provider.capabilities.limits.max_block_range
    stated = None if span is None else span + 1  # `toBlock - fromBlock`, as in `filters.by_block_range`
    blocks = [most for most in (stated, learned.limit(Kind.BLOCKS, now)) if most is not None]
    return Cap(min(blocks, default=None), learned.limit(Kind.ADDRESSES, now), learned.limit(Kind.TOPICS, now))


@attrs.define(eq=False)
class Refusals:
    """`hear` is given each failed attempt. `alone`: too many results for one are too many for all, so stop asking."""

    query: LogQuery
    clock: Clock
    alone: bool
    told: list[Learned] = attrs.field(factory=list)

    def hear(self, done: Attempt) -> bool:
        """True: nobody else should be asked the same."""
        refused = done.reply.error if done.reply is not None else None
        return self._learn(done.candidate, _limits("" if refused is None else refused.text, done.error, done.verdict))

    def conclude(self, outcome: Outcome) -> None:
        """The end of the attempts: what the last of them said may be an answer that `hear` was not given."""
        refused = outcome.reply.error if outcome.reply is not None else None
        if not outcome.failed:
            self._served(outcome.candidate)
        elif not self.told and outcome.candidate is not None:
            self._learn(
                outcome.candidate, _limits("" if refused is None else refused.text, outcome.error, outcome.verdict)
            )

    @property
    def too_large(self) -> bool:
        return any(one.kind in SIZES for one in self.told)

    @property
    def dense(self) -> bool:
        """Too much came back, whatever the number of blocks."""
        return any(one.kind in DENSITY for one in self.told)

    @property
    def topics(self) -> bool:
        """There were too many topics to choose from: fewer blocks would not help."""
        return any(one.kind is Kind.TOPICS for one in self.told)

    @property
    def suggested(self) -> int | None:
        """How many blocks would have worked, by the most careful."""
        return min((one.value for one in self.told if one.kind is Kind.SUGGESTED and one.value), default=None)

    def _learn(self, candidate: Candidate, told: tuple[Learned, ...]) -> bool:
        told = tuple(_meant(one, self.query) for one in told)
        self.told += told
        learned = candidate.channel.learned
        learned.refused(told, self.query.blocks, len(self.query.addresses), self.clock())
        return self.alone and any(one.kind in DENSITY or one.kind is Kind.SUGGESTED for one in told)

    def _served(self, candidate: Candidate | None) -> None:
        if candidate is not None:
            learned, now = candidate.channel.learned, self.clock()
            learned.served(Kind.BLOCKS, self.query.blocks, now)
            learned.served(Kind.ADDRESSES, len(self.query.addresses), now)
            learned.served(Kind.TOPICS, _most_choices(self.query), now)


def _meant(told: Learned, query: LogQuery) -> Learned:
    """Texts say "addresses or topics", or name one for both: what there is one of at most cannot be too many."""
    if told.kind is Kind.ADDRESSES and len(query.addresses) <= 1 < _most_choices(query):
        return Learned(Kind.TOPICS, told.value)
    if told.kind is Kind.TOPICS and _most_choices(query) <= 1 < len(query.addresses):
        return Learned(Kind.ADDRESSES, told.value)
    return told


def _most_choices(query: LogQuery) -> int:
    """Of how many topics one place of the query lets a log have any."""
    return max((len(items(topic)) for topic in query.topics if topic[:1] == b"["), default=0)


_TELLING: Final = frozenset({ErrorClass.SPLIT, ErrorClass.PRUNED})


def _limits(text: str, error: RpcError | None, verdict: Verdict | None) -> tuple[Learned, ...]:
    """Of an upstream's error text, or of our own error when there was none (HTTP 413, beyond our own cap).

    Numbers in texts of other classes are no limits: a client's own mistake may quote a range.
    """
    if error is None:
        if verdict is None:
            return read_limits(text)
        return read_limits(text, verdict.learning) if verdict.error_class in _TELLING else ()
    too_big = error.category == "response_too_large" or error.data == {"http_status": 413}
    return (Learned(Kind.BYTES),) if too_big else ()

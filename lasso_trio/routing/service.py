"""A checked request in, an outcome out: what all doors (HTTP, HTTP/2, WebSocket) share.

Refuses what no provider is asked, answers what needs none, plans and executes the rest, and counts. Transport matters
such as ids, headers and statuses are the doors' business.
"""

from __future__ import annotations

from functools import partial
from math import inf
from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.jsonrpc.errors import method_not_supported, unknown_provider
from lasso_trio.jsonrpc.methods import BROADCAST, DISALLOWED, STICKY, Method, Safety, known
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.cache import cached
from lasso_trio.routing.cache_question import CACHEABLE
from lasso_trio.routing.call import FAIR_SHARE, MAX_DISPATCHES, Call, Clock
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.coalesce import Key, coalesced, key_of
from lasso_trio.routing.execute import execute
from lasso_trio.routing.execute_filters import create_filter, follow_filter
from lasso_trio.routing.execute_logs import execute_logs
from lasso_trio.routing.execute_session import Act, execute_session
from lasso_trio.routing.execute_write import broadcast
from lasso_trio.routing.explain import Asked, Row, explain, explain_here
from lasso_trio.routing.explain_plan import foresee
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.retry_budget import RetryBudget
from lasso_trio.routing.room import Room
from lasso_trio.routing.routed_chain import ChainCounts, RoutedChain
from lasso_trio.routing.sessions import Key as SessionKey
from lasso_trio.routing.sessions import Session, Sessions
from lasso_trio.routing.trail import Trail

_NO_PARAMS: Final = b"[]"
_LOGS: Final = known("eth_getLogs")
_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


@attrs.frozen(eq=False)
class Wish:
    """What the client asked for besides the call itself. None: no preference.

    `session` and `min_block`: the chain must not be seen below what was shown there, or below this block. `deadline_s`:
    less time than the method usually has. `hedge_s`: after how long to hedge, infinity for not at all.
    """

    strategy: Strategy | None = None
    provider: str | None = None
    transport: Transport | None = None
    session: str | None = None
    min_block: int | None = None
    deadline_s: float | None = None
    hedge_s: float | None = None
    bypass_cache: bool = False
    traceparent: str = ""
    tracestate: str = ""
    """As the client sent them; read by who traces calls only."""
    key: Key = attrs.field(init=False)
    """What calls that share an answer must have in common, besides the call itself."""
    plain: bool = attrs.field(init=False)
    """Nothing but a matter of ranking."""
    alone: bool = attrs.field(init=False)
    """No call may share its answer with this one."""

    @key.default
    def _key(self) -> Key:
        return (self.transport, self.provider, self.hedge_s)

    @plain.default
    def _is_plain(self) -> bool:
        return self.provider is None and self.session is None and self.min_block is None

    @alone.default
    def _is_alone(self) -> bool:
        return self.session is not None or self.min_block is not None or self.bypass_cache


ANYTHING: Final = Wish()


@attrs.define(eq=False)
class Served:
    """One call, done: the outcome and what it was planned with. `plan` is None when nobody had to be asked."""

    outcome: Outcome
    strategy: Strategy
    plan: Plan | None = None


@attrs.define(eq=False)
class Service:
    """Made inside `trio.run`. `clock` is trio's, two calls shorter than `trio.current_time`."""

    rng: Random = attrs.field(factory=Random)
    clock: Clock = attrs.field(factory=lambda: trio.lowlevel.current_clock().current_time)
    sessions: Sessions = attrs.field(factory=Sessions)
    retries: RetryBudget = attrs.field(factory=RetryBudget)
    afterwork: Afterwork = attrs.field(factory=Afterwork)

    async def serve(
        self,
        chain: RoutedChain,
        wish: Wish,
        request: Request,
        now: float,
        *,
        stream: bool = True,
        prefer: Candidate | None = None,
        room: Room | None = None,
        trail: Trail | None = None,
    ) -> Served:
        """Carry out `request`, admitted at `now` (trio's clock). Raises only Cancelled, which is counted too.

        `stream`: a large result may come half-way; else it is held whole, in `room` if that is given. `trail`: where
        the attempts are written down.
        """
        counts = chain.counts
        counts.calls += 1
        self.retries.calls += 1
        counts.call_rate.add(now)
        method = request.method
        strategy = wish.strategy or chain.strategy_for(method)
        splits = method is _LOGS and chain.splits_logs
        act: Act = execute_logs if splits else execute
        if method.name in chain.set_apart or not wish.plain:
            outcome = self._without_upstream(chain, wish, request)
            if outcome is not None:
                counts.errors += outcome.failed
                return Served(outcome, strategy)
            act = self._unusual(chain, wish, method, now, act)
        # A query that can be cut needs everybody: who takes how much of it is decided part by part.
        plan_for = _NO_PARAMS if splits else request.params
        plan = chain.plan(method, plan_for, now, strategy, wish.transport, wish.provider)
        budget = chain.budget_s(method)
        deadline = now + budget
        if wish.deadline_s is not None:
            deadline = min(deadline, now + wish.deadline_s)
        call = Call(
            chain,
            method,
            request.params,
            request.reply_id,
            plan,
            now,
            deadline,
            self.clock,
            stream,
            prefer,
            room,
            None,
            wish.hedge_s,
            self.retries,
            FAIR_SHARE * budget,
            trail,
        )
        try:
            flights = None if wish.alone or not method.replay_safe else chain.flights
            cache = chain.cache
            why = "" if cache is None else _past_cache(wish, method)
            if flights is not None and (cache is None or why):
                # As `cached`, without its await: most calls have nothing to do with the cache.
                outcome = await coalesced(call, self.rng, act, flights, key_of(call, wish.key))
                if cache is not None:
                    cache.passed(outcome, why)
            elif cache is not None:
                outcome = await cached(call, self.rng, act, cache, bypass=why, flights=flights, wishes=wish.key)
            else:
                outcome = await act(call, self.rng)
        except BaseException:
            counts.cancelled += 1
            raise
        finally:
            if not method.replay_safe:
                counts.written += method.name not in STICKY
        if outcome.failed or outcome.retries:
            _count_trouble(counts, outcome, now)
        return Served(outcome, strategy, plan)

    def explain(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> Row:
        """What `serve` would do with `request`, and why, as JSON. Nothing is sent, nothing is counted."""
        method, strategy = request.method, wish.strategy or chain.strategy_for(request.method)
        basics = _basics(chain, wish, method, strategy)
        here = self._without_upstream(chain, wish, request)
        if here is not None:
            return explain_here(here, basics)
        splits = method is _LOGS and chain.splits_logs
        plan_for = _NO_PARAMS if splits else request.params
        plan = chain.plan(method, plan_for, now, strategy, wish.transport, wish.provider)
        call = Call(
            chain, method, request.params, request.reply_id, plan, now, now + chain.budget_s(method), lambda: now
        )
        session = None if wish.session is None else self.sessions.peek(*_session_of(chain, wish.session, now))
        foreseen = foresee(call, session, wish.min_block, splits=splits)
        plan = foreseen.plan
        first, reason = plan.first(self.rng, method.replay_safe) if plan.ranked else (None, "")
        asked = Asked(
            chain, method, request.params, foreseen, now, first, reason, wish.provider, wish.hedge_s,
        )  # fmt: skip
        return explain(asked, {**basics, "may_be_split": splits})

    def choose(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> Candidate | None:
        """Who would be asked first for `request`; None if nobody can."""
        if wish.provider is not None and not chain.has_provider(wish.provider):
            return None  # and no plan either: the name is whatever a client wrote
        method = request.method
        strategy = wish.strategy or chain.strategy_for(method)
        plan = chain.plan(method, request.params, now, strategy, wish.transport, wish.provider)
        return plan.first(self.rng, method.replay_safe)[0] if plan.ranked else None

    def _unusual(self, chain: RoutedChain, wish: Wish, method: Method, now: float, usual: Act) -> Act:
        """How a call is carried out that is not like the others, by its method or by what its client asked for."""
        if method.safety is Safety.RAW_TRANSACTION_BROADCAST:
            return partial(broadcast, afterwork=self.afterwork)
        if method.safety is Safety.FILTER_CREATE:
            return create_filter
        if method.safety is Safety.FILTER_AFFINE:
            return follow_filter
        if not method.replay_safe or (wish.session is None and wish.min_block is None):
            return usual
        session = Session()
        if wish.session is not None:
            session = self.sessions.get(*_session_of(chain, wish.session, now))
        return partial(execute_session, act=usual, session=session, min_block=wish.min_block)

    def _without_upstream(self, chain: RoutedChain, wish: Wish, request: Request) -> Outcome | None:
        if request.method.name in DISALLOWED:
            return Outcome(error=method_not_supported())
        if wish.provider is not None:
            if chain.has_provider(wish.provider):
                return None
            return Outcome(error=unknown_provider(wish.provider, chain.chain.chain_id, chain.profile.slug))
        answer = chain.local_answers.get(request.method.name)
        if answer is None or request.params != _NO_PARAMS:
            return None
        reply = Reply(_BEFORE, b',"result":%b}' % answer, None, len(answer), answer[0])
        return Outcome(reply=reply, reason="local")


def _session_of(chain: RoutedChain, name: str, now: float) -> tuple[SessionKey, float, int]:
    """What `Sessions` wants to know."""
    return (chain.profile.slug, chain.chain.chain_id, name), now, chain.heads.rollbacks


def _past_cache(wish: Wish, method: Method) -> str:
    """Why a call does not concern the cache; empty if it does."""
    if wish.bypass_cache:
        return "client"
    if method.name not in CACHEABLE:
        return "method"
    if wish.session is not None:
        return "session"
    if wish.min_block is not None:
        return "min_block"
    return "" if wish.provider is None else "pinned"


def _basics(chain: RoutedChain, wish: Wish, method: Method, strategy: Strategy) -> Row:
    return {
        "profile": chain.profile.slug,
        "chain": chain.chain.key,
        "chain_id": chain.chain.chain_id,
        "method": method.name,
        "strategy": strategy.value,
        "transport": None if wish.transport is None else wish.transport.value,
        "pinned": wish.provider,
        "deadline_ms": int(min(chain.budget_s(method), wish.deadline_s or inf) * 1000),
        "goes_to_the_filters_maker": method.safety is Safety.FILTER_AFFINE,
        "most_dispatches": _most_dispatches(chain, method),
    }


def _most_dispatches(chain: RoutedChain, method: Method) -> int:
    if method.name in BROADCAST:
        return chain.chain.routing.broadcast + MAX_DISPATCHES - 1
    return MAX_DISPATCHES if method.replay_safe else 1


def _count_trouble(counts: ChainCounts, outcome: Outcome, now: float) -> None:
    counts.errors += outcome.failed
    failovers = outcome.retries - outcome.behind  # who was only behind the client did not fail
    counts.failovers += failovers
    counts.failover_rate.add(now, failovers)

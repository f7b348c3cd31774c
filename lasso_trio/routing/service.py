"""A checked request in, an outcome out: what all doors (HTTP, HTTP/2, WebSocket) share.

Refuses what no provider is asked, answers what needs none, plans and executes the rest, and counts. Transport matters
such as ids, headers and statuses are the doors' business.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.jsonrpc.errors import method_not_supported, unknown_provider
from lasso_trio.jsonrpc.methods import DISALLOWED
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.routed_chain import RoutedChain

_NO_PARAMS: Final = b"[]"
_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


@attrs.frozen(eq=False)
class Wish:
    """What the client asked for besides the call itself. None: no preference."""

    strategy: Strategy | None = None
    provider: str | None = None
    transport: Transport | None = None


ANYTHING: Final = Wish()


@attrs.define(eq=False)
class Served:
    """One call, done: the outcome and what it was planned with. `plan` is None when nobody had to be asked.

    `selection_s`: seconds until the plan was there.
    """

    outcome: Outcome
    strategy: Strategy
    plan: Plan | None = None
    selection_s: float = 0.0


@attrs.define(eq=False)
class Service:
    rng: Random = attrs.field(factory=Random)

    async def serve(
        self,
        chain: RoutedChain,
        wish: Wish,
        request: Request,
        now: float,
        *,
        stream: bool = True,
        prefer: Candidate | None = None,
    ) -> Served:
        """Carry out `request`, admitted at `now` (trio's clock). Raises only Cancelled, which is counted too."""
        counts = chain.counts
        counts.calls += 1
        counts.call_rate.add(now)
        served = self._without_upstream(chain, wish, request)
        if served is None:
            try:
                served = await self._planned(chain, wish, request, now, stream, prefer)
            except BaseException:
                counts.cancelled += 1
                raise
        counts.errors += served.outcome.failed
        if served.outcome.retries:
            counts.failovers += served.outcome.retries
            counts.failover_rate.add(now, served.outcome.retries)
        return served

    async def _planned(
        self,
        chain: RoutedChain,
        wish: Wish,
        request: Request,
        now: float,
        stream: bool,
        prefer: Candidate | None,
    ) -> Served:
        method = request.method
        strategy = chain.strategy_for(wish.strategy, method)
        plan = chain.plan(method, request.params, now, strategy, wish.transport, wish.provider)
        call = Call(
            chain=chain,
            method=method,
            params=request.params,
            client_id=request.reply_id,
            plan=plan,
            started=now,
            deadline=now + chain.budget_s(method),
            stream=stream,
            prefer=prefer,
        )
        selection_s = trio.current_time() - now
        return Served(await execute(call, self.rng), strategy, plan, selection_s)

    def choose(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> Candidate | None:
        """Who would be asked first for `request`; None if nobody can."""
        method = request.method
        strategy = chain.strategy_for(wish.strategy, method)
        plan = chain.plan(method, request.params, now, strategy, wish.transport, wish.provider)
        return plan.first(self.rng, method.replay_safe)[0] if plan.ranked else None

    def _without_upstream(self, chain: RoutedChain, wish: Wish, request: Request) -> Served | None:
        method = request.method
        if method.name in DISALLOWED:
            return Served(Outcome(error=method_not_supported()), chain.strategy_for(wish.strategy, method))
        if wish.provider is not None:
            if chain.has_provider(wish.provider):
                return None
            error = unknown_provider(wish.provider, chain.chain.chain_id, chain.profile.slug)
            return Served(Outcome(error=error), chain.strategy_for(wish.strategy, method))
        answer = chain.local_answers.get(method.name)
        if answer is None or request.params != _NO_PARAMS:
            return None
        reply = Reply(_BEFORE, b',"result":%b}' % answer, None, len(answer), answer[0])
        return Served(Outcome(reply=reply, reason="local"), chain.strategy_for(wish.strategy, method))

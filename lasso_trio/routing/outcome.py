"""What became of a call: the answer to give, and the facts that metadata, logs and counters are made of."""

from __future__ import annotations

import attrs

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.large_reply import LargeReply
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.catalogue import VERDICTS, Category, Verdict
from lasso_trio.routing.candidate import Candidate
from lasso_trio.upstream.reply import Reply as HttpReply


@attrs.define(eq=False)
class Large:
    """A result passing through: its JSON side and its HTTP side. Whoever takes it must close `http.rest`.

    The channel has been told of a success already; `broke_off` tells it otherwise.
    """

    json: LargeReply
    http: HttpReply
    candidate: Candidate
    method: Method

    def broke_off(self, now: float) -> None:
        self.candidate.tally.failures += 1
        self.candidate.channel.failed(self.method.row, VERDICTS[Category.NETWORK_ERROR], 0.0, now)


@attrs.frozen
class Raced:
    """One who ran in a race. `begun_s`: since the call began; `took_s`: to its end, or until it was given up (`lost`).

    `end`: `won`, `lost`, `failed`, or `outdone`: it answered, and another's answer was better.
    """

    provider: str
    transport: str
    hedge: bool
    begun_s: float
    took_s: float
    end: str


@attrs.frozen
class Missed:
    """An attempt that failed, so that another was made: who was asked, and what kind of failure it was."""

    provider: str
    transport: str
    category: str


@attrs.define(eq=False)
class Outcome:
    """Exactly one of `reply`, `large` and `error` is set.

    `reply` may itself hold an upstream's error; `verdict` says what kind. Times are seconds; `upstream_s` is summed
    over attempts, except those that raced. `selection_s` passed before the first attempt; `retries` counts attempts
    after it that replaced a failed one, `hedges` those that raced a late one.
    """

    reply: Reply | None = None
    large: Large | None = None
    error: RpcError | None = None
    verdict: Verdict | None = None
    candidate: Candidate | None = None
    reason: str = ""
    retries: int = 0
    selection_s: float = 0.0
    upstream_s: float = 0.0
    hedges: int = 0
    hedge_delay_s: float = 0.0
    hedge_won: bool = False
    won_by: str = ""
    """Of a call that was hedged: whose answer it is, `first`, `hedge` or `failover` (an attempt that replaced a failed
    one). Empty when nobody gave one."""
    saved_s: float = 0.0
    """How much longer the attempt that was late would have taken at least, as far as its provider's past tells."""
    raced: tuple[Raced, ...] = ()
    """Who ran in its races, winner and losers; empty for a call that was not raced."""
    missed: tuple[Missed, ...] = ()
    """The attempts that failed, in their order: at most as many as a call may make. Not those of the parts of a query
    that was cut."""
    behind: int = 0
    """Answers below the session's floor, put aside. `retries` counts what came after them; they are no failures."""
    cache: str = ""
    """`hit`, `miss`, `coalesced` or `bypass`, and why: "hit; final". Empty where neither cache nor coalescing is on."""
    failed: bool = attrs.field(init=False)
    """The client is told an error, the upstream's or ours."""

    def __attrs_post_init__(self) -> None:
        self.failed = self.error is not None or (self.reply is not None and self.reply.error is not None)

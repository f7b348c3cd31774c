"""A profile's chain at run time: its candidates, its cached plans, its counts.

What a call asks of it is `plan(...)`; everything that must be worked out once and not per call is worked out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.config.profile import Chain, MethodOverride, Profile, Strategy, Transport
from lasso_trio.jsonrpc.methods import BROADCAST, DISALLOWED, STICKY, Method
from lasso_trio.providers.block_time import BlockTime
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.providers.registry import Registry
from lasso_trio.routing import archival, filters
from lasso_trio.routing.archival import BlockNeed
from lasso_trio.routing.cache import ChainCache
from lasso_trio.routing.cache_store import Store
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.coalesce import Flights
from lasso_trio.routing.hedge import Hedges
from lasso_trio.routing.log_filter import unknown_height
from lasso_trio.routing.plan import Plan, build
from lasso_trio.routing.state_depth import STATE
from lasso_trio.telemetry.rates import MinuteRates

log = structlog.get_logger(__name__)

_NO_OVERRIDE: Final = MethodOverride()
_PLANS_KEPT: Final = 4096
_SAY_AGAIN_S: Final = 60.0


@attrs.define(eq=False)
class ChainCounts:
    """What went through one profile's chain since start.

    `errors`: calls answered with a JSON-RPC error, the upstream's or ours. `cancelled`: the client left. `limited`:
    refused by the client limit, and not in `calls`.
    """

    calls: int = 0
    errors: int = 0
    failovers: int = 0
    cancelled: int = 0
    limited: int = 0
    written: int = 0
    """Calls that are over and may have changed something: what was read before them is old."""
    elsewhere: int = 0
    """How often another worker of the node said that its clients use the chain, or somebody looks at it; and how often
    somebody was seen to look at it here where another worker probes."""
    sent: int = 0
    """Calls that were dispatched to a provider, each once however many attempts it took; of a query that was cut, each
    part. Neither what was shared, kept or answered here, nor signed transactions."""
    call_rate: MinuteRates = attrs.field(factory=MinuteRates)
    failover_rate: MinuteRates = attrs.field(factory=MinuteRates)
    hedges: Hedges = attrs.field(factory=Hedges)


PlanKey = tuple[Strategy, str, Transport | None, str | None]


@attrs.define(eq=False)
class RoutedChain:
    """One profile × chain. `local_answers` are results that never leave the house, by method name."""

    profile: Profile
    chain: Chain
    registry: Registry
    candidates: tuple[Candidate, ...]
    local_answers: dict[str, bytes]
    counts: ChainCounts = attrs.field(factory=ChainCounts)
    own_counts: ChainCounts = attrs.field(factory=ChainCounts)
    """Of what the node reads for itself: no client asked for it."""
    heads: ChainHeads = attrs.field(factory=lambda: ChainHeads({}))
    flights: Flights | None = None
    """Calls under way that equal ones may share; None where the profile does not want that."""
    cache: ChainCache | None = None
    _plans: dict[PlanKey, Plan] = attrs.field(factory=dict)
    _ranged: bool = False
    _aged: bool = False
    _pruned: bool = False
    """Somebody keeps no old state, and somebody does."""
    _said_at: float = -inf
    _answered_here: frozenset[str] = DISALLOWED
    _set_apart: frozenset[str] = attrs.field(init=False)
    latest_height: Callable[[], int | None] = unknown_height
    """What the tag `latest` stands for; None while nobody knows."""
    splits_logs: bool = attrs.field(init=False)
    _for_itself: RoutedChain | None = None

    def __attrs_post_init__(self) -> None:
        self.splits_logs = self.chain.routing.split_logs
        self._listen()
        self._set_apart = self._answered_here | STICKY | BROADCAST

    @classmethod
    def of(cls, profile: Profile, chain: Chain, registry: Registry, store: Store | None = None) -> RoutedChain:
        """`store`: where the profile's answers are cached; None where they are not."""
        candidates = tuple(
            Candidate(provider, channel, head=registry.instances[provider.instance_id].head)
            for provider in chain.providers
            for channel in registry.channels(provider)
        )
        heads = _heads(chain, candidates)
        answers = {"eth_chainId": b'"0x%x"' % chain.chain_id, "net_version": b'"%d"' % chain.chain_id}
        ranged = any(p.capabilities.limits.max_block_range is not None for p in chain.providers)
        return cls(
            profile,
            chain,
            registry,
            candidates,
            answers,
            heads=heads,
            flights=Flights() if chain.routing.coalesce else None,
            cache=_cache(profile, chain, heads, store),
            ranged=ranged,
            aged=any(p.capabilities.limits.max_block_age is not None for p in chain.providers),
            pruned=len({p.archival for p in chain.providers}) > 1,
            answered_here=DISALLOWED | answers.keys(),
            latest_height=lambda: heads.view(trio.current_time()).consensus,
        )

    def _listen(self) -> None:
        """What is cached must know which blocks there are: from whoever tells headers."""
        if self.cache is not None:
            for candidate in self.candidates:
                candidate.head.branches.add(self.cache.branch)

    def adopt(self, profile: Profile, store: Store | None) -> None:
        """Belong to `profile`, which says the same of this chain as the one before, but maybe not of its cache."""
        same = self.profile.cache == profile.cache
        self.profile, self._for_itself = profile, None
        if not same:
            self.cache = _cache(profile, self.chain, self.heads, store)
            self._listen()

    def for_itself(self) -> RoutedChain:
        """The same chain for the node's own reads, which neither count as calls nor spend what calls may on hedges."""
        if self._for_itself is None:
            self._for_itself = attrs.evolve(self, counts=self.own_counts)
        return self._for_itself

    def has_provider(self, provider_id: str) -> bool:
        return any(provider.id == provider_id for provider in self.chain.providers)

    def override(self, method: Method) -> MethodOverride:
        return self.chain.routing.method_overrides.get(method.name, _NO_OVERRIDE)

    def strategy_for(self, method: Method) -> Strategy:
        """For a client that asks for none: the method's own, else the chain's default."""
        return self.override(method).strategy or self.chain.routing.default_strategy

    def budget_s(self, method: Method) -> float:
        """Seconds that a call may take in all."""
        timeout_ms = self.override(method).timeout_ms
        return method.timeout_s if timeout_ms is None else timeout_ms / 1000

    @property
    def answered_here(self) -> frozenset[str]:
        """Methods that may not have to be sent anywhere."""
        return self._answered_here

    @property
    def set_apart(self) -> frozenset[str]:
        """Those, and those that are not carried out like the others."""
        return self._set_apart

    def plan(
        self,
        method: Method,
        params: bytes,
        now: float,
        strategy: Strategy,
        transport: Transport | None = None,
        pinned: str | None = None,
    ) -> Plan:
        """The plan for a call; from the cache unless the state it was made from has moved."""
        if method.row != method.name:
            return self._build(method, now, strategy, transport, pinned)
        key = (strategy, method.name, transport, pinned)
        plan = self._plans.get(key)
        if plan is None or plan.version != self.registry.version.value or now >= plan.valid_until:
            plan = self._build(method, now, strategy, transport, pinned)
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            self._plans[key] = plan
        return self.suited(plan, method, params, now) if method.name in archival.BLOCK_BOUND else plan

    def suited(self, plan: Plan, method: Method, params: bytes, now: float) -> Plan:
        """Of `plan`, which is one for `method`, what is able to serve these parameters, which name a block."""
        if self._ranged and method.name == "eth_getLogs":
            plan = self._within_range(plan, method, params, now)
        return self._for_block(plan, method, params, now)

    def height_of(self, tag: str, now: float) -> int | None:
        """What `latest`, `safe` or `finalized` stands for; None while nobody knows, and for other tags.

        Of the last two a view keeps the last height for good. Here it counts while somebody tells any: a query that
        ended at a height which stands still would miss more with each block.
        """
        if tag == "latest":
            return self.latest_height()
        view, fresh = self.heads.view(now), [head for head in self.heads.heads.values() if head.fresh(now)]
        if tag == "safe":
            return view.safe if any(head.safe for head in fresh) else None
        if tag == "finalized":
            return view.finalized if any(head.finalized for head in fresh) else None
        return None

    def _build(
        self, method: Method, now: float, strategy: Strategy, transport: Transport | None, pinned: str | None
    ) -> Plan:
        kept, out = filters.by_transport(self._named(method, pinned), method, transport)
        kept, cordoned = filters.by_cordon(kept)
        able, unable = (kept, []) if pinned else filters.by_ability(kept, method)
        ours, foreign = filters.by_chain(able)
        ready, broken = filters.by_breaker(ours, now)
        level, behind = (ready, []) if pinned else self._level(ready, now)
        # Only now, because asking a breaker may move it.
        version, due = self.registry.version.value, min((c.channel.next_change(now) for c in able), default=inf)
        order = () if pinned else self.override(method).providers
        excluded = [*out, *cordoned, *unable, *foreign, *broken, *behind]
        return build(strategy, level, excluded, method, version, now, due, order)

    def _level(self, candidates: Sequence[Candidate], now: float) -> filters.Split:
        """Without those that lag too far behind, where the profile says how far that is; if all do, with all."""
        most = self.chain.selection.max_lag_blocks
        if most is None:
            return list(candidates), []
        lags = {id_: self.heads.lag(id_, now) for id_ in {c.channel.instance_id for c in candidates}}
        if lags and all(lag is not None and lag < -most for lag in lags.values()):
            self._say_all_lag(now)
        return filters.by_lag(candidates, lambda c: lags[c.channel.instance_id], most)

    def _say_all_lag(self, now: float) -> None:
        self.heads.kept_all += 1
        if now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            log.warning("plan.everybody_lags", profile=self.profile.slug, chain=self.chain.key, tip=self.heads.tip)

    def _for_block(self, plan: Plan, method: Method, params: bytes, now: float) -> Plan:
        """For a call that names a block: who keeps state that old, and who has it already first."""
        need = archival.read(method.name, params)
        if need is archival.NOTHING or len(plan.ranked) < 2:
            return plan
        kept, out = self.keeping(plan.ranked, method, need, now)
        late = self.late(kept, need, now)
        if not out and not late:
            return plan
        first, order = [c for c in kept if c not in late], self.override(method).providers
        excluded = [*plan.excluded, *out]
        built = build(plan.strategy, first, excluded, method, plan.version, now, plan.valid_until, order)
        built.ranked += tuple(late)
        return built

    def keeping(self, ranked: Sequence[Candidate], method: Method, need: BlockNeed, now: float) -> filters.Split:
        """Those that keep state as old as that: by their profile if it is old and not everybody does, by their word."""
        consensus = self.heads.view(now).consensus
        kept, out = list(ranked), list[filters.Exclusion]()
        if self._aged:
            kept, out = filters.by_age(kept, method, need.low, consensus)
        if method.name not in archival.ARCHIVAL:
            return kept, out
        kept, unable = filters.by_depth(kept, need.low, now, state=method.name in STATE)
        out = [*out, *unable]
        if not self._pruned or not need.archival(consensus, self.chain.selection.archival_threshold):
            return kept, out
        archives, others = filters.by_archive(kept)
        return archives, [*out, *others]

    def late(self, kept: Sequence[Candidate], need: BlockNeed, now: float) -> list[Candidate]:
        """Those that are not likely to have the block yet; nobody if that is true of all."""
        high = need.high
        if high is None or high <= self.heads.view(now).lowest:
            return []
        late = [c for c in kept if not self.heads.has_block(c.head, high, now)]
        return late if len(late) < len(kept) else []

    def _named(self, method: Method, pinned: str | None) -> Sequence[Candidate]:
        allowed = (pinned,) if pinned else self.override(method).providers
        return filters.by_provider(self.candidates, allowed)[0] if allowed else self.candidates

    def _within_range(self, plan: Plan, method: Method, params: bytes, now: float) -> Plan:
        kept, out = filters.by_block_range(plan.ranked, filters.block_span(params))
        if not out:
            return plan
        order = self.override(method).providers
        return build(plan.strategy, kept, [*plan.excluded, *out], method, plan.version, now, plan.valid_until, order)

    def shortest_wait(self, plan: Plan, now: float) -> float | None:
        """Seconds until the first open breaker lets one of the plan's calls through; None if that is unknown."""
        labels = {exclusion.label for exclusion in plan.excluded if exclusion.reason in filters.SHUT}
        mine = [c for c in self.candidates if c.label in labels or c in plan.ranked]
        waits = [wait for c in mine if (wait := c.channel.breaker.retry_after(now)) > 0]
        return min(waits, default=None)


def _cache(profile: Profile, chain: Chain, heads: ChainHeads, store: Store | None) -> ChainCache | None:
    scope = f"{profile.slug}/{chain.chain_id}".encode()
    return None if store is None else ChainCache(scope, store, heads, price_s=profile.cache.price_ms / 1000)


def _heads(chain: Chain, candidates: Sequence[Candidate]) -> ChainHeads:
    block_time = BlockTime(None if chain.block_time_ms is None else chain.block_time_ms / 1000)
    heads = {candidate.channel.instance_id: candidate.head for candidate in candidates}
    return ChainHeads(heads, block_time, chain.selection.max_lag_blocks)

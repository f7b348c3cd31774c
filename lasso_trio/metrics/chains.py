"""Tells of each profile's chains: calls and what became of them, hedges, shared and cached answers, heads.

Counters begin anew when a reload changes the chain they belong to; Prometheus sees that as a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lasso_trio.metrics.providers import available
from lasso_trio.providers.head import ChainCheck
from lasso_trio.routing.directory import Directory, RoutedProfile
from lasso_trio.routing.hedge import Hedges
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge

_CHAIN: Final = "profile chain"

CALLS = counter("lasso_calls_total", _CHAIN, "Calls of clients, those of batches one by one.")
ERRORS = counter("lasso_call_errors_total", _CHAIN, "Calls answered with a JSON-RPC error, an upstream's or ours.")
CANCELLED = counter("lasso_calls_cancelled_total", _CHAIN, "Calls whose client left before the answer.")
LIMITED = counter("lasso_calls_limited_total", _CHAIN, "Calls refused by the client limit; not among the calls.")
OWN_CALLS = counter("lasso_own_calls_total", _CHAIN, "Calls of the node itself, as streams need them; no client's.")
OWN_ERRORS = counter("lasso_own_call_errors_total", _CHAIN, "Calls of the node itself that ended with an error.")
FAILOVERS = counter("lasso_failovers_total", _CHAIN, "Attempts that followed a failed one.")
HEDGES = counter("lasso_hedges_total", _CHAIN, "Second attempts raced against a late first.")
HEDGES_WON = counter("lasso_hedges_won_total", _CHAIN, "Hedges whose answer was taken.")
HEDGES_WASTED = counter("lasso_hedges_wasted_total", _CHAIN, "Hedges whose answer was not taken.")
HEDGES_SUPPRESSED = counter(
    "lasso_hedges_suppressed_total",
    f"{_CHAIN} reason",
    "Late calls without a hedge, by reason; see docs/hedging.md.",
)
HEDGE_SAVED = counter(
    "lasso_hedges_saved_seconds_total",
    _CHAIN,
    "Seconds that hedges saved their calls, at least: losers are cut, so a stall is not seen to its end.",
)
HEDGES_IN_FLIGHT = gauge("lasso_hedges_in_flight", _CHAIN, "Hedges under way.")
HEDGE_TOKENS = gauge("lasso_hedge_budget_tokens", _CHAIN, "Hedges that the budget had left at the last late call.")
COALESCED = counter("lasso_coalesced_calls_total", _CHAIN, "Calls that shared the upstream call of an equal one.")
HANDED_OVER = counter("lasso_coalesced_handovers_total", _CHAIN, "Shared calls whose leader left and was replaced.")
CACHE = counter(
    "lasso_cache_calls_total", f"{_CHAIN} outcome", "Calls by what the cache said: hit, miss, bypass or coalesced."
)
CACHE_BYTES = gauge("lasso_cache_bytes", "profile", "Bytes held in the profile's cache, keys and overhead included.")
CACHE_ENTRIES = gauge("lasso_cache_entries", "profile", "Answers held in the profile's cache.")
CACHE_EVICTED = counter("lasso_cache_evicted_total", "profile", "Answers dropped from the cache for want of room.")
CONSENSUS = gauge(
    "lasso_chain_consensus_height", _CHAIN, "Block number that a majority of providers has reached.", Across.KEEPER
)
TIP = gauge("lasso_chain_tip_height", _CHAIN, "Highest block number that anybody is believed to have.", Across.KEEPER)
SAFE = gauge("lasso_chain_safe_height", _CHAIN, "Block number of the tag safe.", Across.KEEPER)
FINALIZED = gauge("lasso_chain_finalized_height", _CHAIN, "Block number of the tag finalized.", Across.KEEPER)
BLOCK_TIME = gauge(
    "lasso_chain_block_time_seconds", _CHAIN, "Seconds between blocks, configured or measured.", Across.KEEPER
)
ROLLBACKS = counter("lasso_chain_rollbacks_total", _CHAIN, "Times that the tip had to go back.")
ALL_LAGGED = counter("lasso_plans_everybody_lagged_total", _CHAIN, "Plans kept whole because every provider lagged.")
CONFIGURED = gauge("lasso_chain_providers", _CHAIN, "Providers of the chain.", Across.KEEPER)
AVAILABLE = gauge("lasso_chain_providers_available", _CHAIN, "Providers that calls may be sent to now.", Across.KEEPER)
FRESH = gauge(
    "lasso_chain_heads_fresh",
    _CHAIN,
    "Providers whose head is fresh; absent where heads are not watched.",
    Across.KEEPER,
)

FAMILIES: Final = (CALLS, ERRORS, CANCELLED, LIMITED, OWN_CALLS, OWN_ERRORS, FAILOVERS, HEDGES, HEDGES_WON,
                   HEDGES_WASTED, HEDGES_SUPPRESSED, HEDGE_SAVED, HEDGES_IN_FLIGHT, HEDGE_TOKENS, COALESCED,
                   HANDED_OVER, CACHE, CACHE_BYTES, CACHE_ENTRIES, CACHE_EVICTED, CONSENSUS, TIP, SAFE, FINALIZED,
                   BLOCK_TIME, ROLLBACKS, ALL_LAGGED, CONFIGURED, AVAILABLE, FRESH)  # fmt: skip


def read_chains(directory: Callable[[], Directory], table: Table, now: float) -> Iterator[None]:
    """One chain at a time; others may run in between."""
    for profile in directory().profiles.values():
        _store(profile, table)
        for routed in profile.chains:
            _calls(routed, table)
            _hedges(routed.counts.hedges, table, routed.profile.slug, routed.chain.key)
            _shared(routed, table)
            _heads(routed, table, now)
            _providers(routed, table, now)
            yield


def _calls(routed: RoutedChain, table: Table) -> None:
    counts, who = routed.counts, (routed.profile.slug, routed.chain.key)
    table.add(CALLS, counts.calls, *who)
    table.add(ERRORS, counts.errors, *who)
    table.add(CANCELLED, counts.cancelled, *who)
    table.add(LIMITED, counts.limited, *who)
    table.add(OWN_CALLS, routed.own_counts.calls, *who)
    table.add(OWN_ERRORS, routed.own_counts.errors, *who)
    table.add(FAILOVERS, counts.failovers, *who)


def _hedges(hedges: Hedges, table: Table, *who: str) -> None:
    table.add(HEDGES, hedges.fired, *who)
    table.add(HEDGES_WON, hedges.won, *who)
    table.add(HEDGES_WASTED, hedges.wasted, *who)
    for reason, times in hedges.suppressed.items():
        table.add(HEDGES_SUPPRESSED, times, *who, reason)
    table.add(HEDGE_SAVED, hedges.saved_s, *who)
    table.add(HEDGES_IN_FLIGHT, hedges.in_flight, *who)
    table.add(HEDGE_TOKENS, hedges.tokens, *who)


def _shared(routed: RoutedChain, table: Table) -> None:
    who = (routed.profile.slug, routed.chain.key)
    if routed.flights is not None:
        table.add(COALESCED, routed.flights.followed, *who)
        table.add(HANDED_OVER, routed.flights.handed_over, *who)
    if routed.cache is not None:
        told: dict[str, int] = {}
        for words, times in routed.cache.told.items():  # "miss; why it was not kept": only the first word is a label
            outcome = words.partition(";")[0]
            told[outcome] = told.get(outcome, 0) + times
        for outcome, times in told.items():
            table.add(CACHE, times, *who, outcome)


def _store(profile: RoutedProfile, table: Table) -> None:
    store, slug = profile.store, profile.profile.slug
    if store is not None:
        table.add(CACHE_BYTES, store.held, slug)
        table.add(CACHE_ENTRIES, len(store), slug)
        table.add(CACHE_EVICTED, store.evicted, slug)


def _heads(routed: RoutedChain, table: Table, now: float) -> None:
    heads, who = routed.heads, (routed.profile.slug, routed.chain.key)
    view = heads.view(now)
    known = ((CONSENSUS, view.consensus), (TIP, heads.tip), (SAFE, view.safe), (FINALIZED, view.finalized))
    for family, height in known:
        if height is not None:
            table.add(family, height, *who)
    table.add(BLOCK_TIME, heads.block_time.seconds, *who)
    table.add(ROLLBACKS, heads.rollbacks, *who)
    table.add(ALL_LAGGED, heads.kept_all, *who)
    if any(head.check is not ChainCheck.TRUSTED for head in heads.heads.values()):
        table.add(FRESH, sum(head.fresh(now) for head in heads.heads.values()), *who)


def _providers(routed: RoutedChain, table: Table, now: float) -> None:
    who = (routed.profile.slug, routed.chain.key)
    table.add(CONFIGURED, len(routed.chain.providers), *who)
    table.add(AVAILABLE, len({c.provider.id for c in routed.candidates if available(c, now)}), *who)

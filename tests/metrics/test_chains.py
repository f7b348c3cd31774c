from __future__ import annotations

from lasso_trio.metrics import chains
from lasso_trio.providers.head import ChainCheck
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.prometheus import Table
from tests.metrics.scene import routed_of

ETH = ("main", "ethereum")


def read(directory: Directory, now: float = 100.0) -> Table:
    table = Table()
    list(chains.read_chains(lambda: directory, table, now))
    return table


def test_calls_and_what_became_of_them(directory: Directory) -> None:
    counts = routed_of(directory).counts
    counts.calls, counts.errors, counts.cancelled, counts.limited, counts.failovers = 200, 3, 2, 5, 4
    table = read(directory)
    families = (chains.CALLS, chains.ERRORS, chains.CANCELLED, chains.LIMITED, chains.FAILOVERS)
    assert [table.value(family, *ETH) for family in families] == [200, 3, 2, 5, 4]
    assert table.value(chains.CALLS, "side", "ethereum") == 0


def test_what_the_node_reads_for_itself_is_counted_apart(directory: Directory) -> None:
    own = routed_of(directory).own_counts
    own.calls, own.errors = 7, 2
    table = read(directory)
    families = (chains.OWN_CALLS, chains.OWN_ERRORS, chains.CALLS)
    assert [table.value(family, *ETH) for family in families] == [7, 2, 0]


def test_hedges_with_the_reasons_why_there_were_none(directory: Directory) -> None:
    hedges = routed_of(directory).counts.hedges
    hedges.fire()
    hedges.fire()
    hedges.end(won=True)
    hedges.saved_s = 1.5
    hedges.suppressed["budget"] += 3
    table = read(directory)
    families = (chains.HEDGES, chains.HEDGES_WON, chains.HEDGES_WASTED, chains.HEDGES_IN_FLIGHT, chains.HEDGE_SAVED)
    assert [table.value(family, *ETH) for family in families] == [2, 1, 0, 1, 1.5]
    assert table.value(chains.HEDGE_TOKENS, *ETH) == 18.0
    assert table.value(chains.HEDGES_SUPPRESSED, *ETH, "budget") == 3


def test_what_the_cache_said_is_counted_by_its_first_word(directory: Directory) -> None:
    routed = routed_of(directory)
    assert routed.cache is not None
    assert routed.flights is not None
    routed.cache.told.update({"hit; final": 5, "miss; head": 2, "miss; error": 1, "coalesced": 4})
    routed.flights.followed = 4
    table = read(directory)
    assert {row[0][2]: row[1] for row in table.rows[chains.CACHE]} == {"hit": 5, "miss": 3, "coalesced": 4}
    assert table.value(chains.COALESCED, *ETH) == 4
    assert table.value(chains.CACHE_ENTRIES, "main") == 0
    assert table.value(chains.CACHE_ENTRIES, "side") is None


def test_heads_are_told_as_far_as_they_are_known(directory: Directory) -> None:
    table = read(directory)
    assert table.value(chains.CONSENSUS, *ETH) is None
    assert table.value(chains.FRESH, *ETH) is None
    for head in routed_of(directory).heads.heads.values():
        head.check = ChainCheck.RIGHT
        head.tell(1000, 101.0, 12.0)
    table = read(directory, 102.0)
    assert table.value(chains.CONSENSUS, *ETH) == 1000
    assert table.value(chains.FRESH, *ETH) == 2
    assert table.value(chains.FINALIZED, *ETH) is None


def test_a_chain_without_anybody_available_says_so(directory: Directory) -> None:
    table = read(directory)
    assert (table.value(chains.CONFIGURED, *ETH), table.value(chains.AVAILABLE, *ETH)) == (2, 2)
    for candidate in routed_of(directory).candidates:
        candidate.channel.breaker.quarantine("test", 100.0)
    assert read(directory).value(chains.AVAILABLE, *ETH) == 0

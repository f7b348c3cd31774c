from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import Chain, Monitoring, Profile, Selection, Topology, WebSocketPolicy

Faults = Callable[..., list[str]]
Build = Callable[[str], str]
Read = Callable[..., Profile]


@pytest.fixture
def chain(read: Read, with_chain: Build) -> Callable[[str], Chain]:
    return lambda lines: read(with_chain(lines)).chains[0]


def test_a_chain_needs_little(chain: Callable[[str], Chain]) -> None:
    read = chain("")
    assert (read.key, read.name, read.chain_id, read.aliases, read.block_time_ms) == (
        "ethereum",
        "ethereum",
        1,
        (),
        None,
    )
    assert read.monitoring == Monitoring(probe_interval_ms=12_000)
    assert read.selection == Selection()
    assert read.websocket == WebSocketPolicy()
    assert read.topology == Topology()


def test_a_monitoring_section_without_an_interval_has_another_default(chain: Callable[[str], Chain]) -> None:
    assert chain("monitoring: {lag_alert_threshold_blocks: 7}").monitoring == Monitoring(15_000, 7)
    assert chain("monitoring: {}").monitoring == Monitoring(15_000, 3)
    assert chain("monitoring: {probe_interval_ms: 5}").monitoring == Monitoring(5, 3)
    assert chain("monitoring: {lag_threshold_blocks: 9}").monitoring == Monitoring(15_000, 9)


@pytest.mark.parametrize("key", ["aliases", "url_aliases"])
def test_aliases_have_two_names(chain: Callable[[str], Chain], key: str) -> None:
    assert chain(f"{key}: [eth, mainnet]").aliases == ("eth", "mainnet")


def test_no_lag_filter_is_null(chain: Callable[[str], Chain]) -> None:
    assert chain("selection: {max_lag_blocks: null, archival_threshold: 0}").selection == Selection(None, 0)
    assert chain("selection: {max_lag_blocks: 0}").selection == Selection(0, 128)


def test_the_websocket_section(chain: Callable[[str], Chain]) -> None:
    lines = "websocket: {subscribe_new_heads: false, new_heads_timeout_ms: 9, failover: {max_backfill_blocks: 0}}"
    assert chain(lines).websocket == WebSocketPolicy(False, 9, 0, 30_000)


OLD = """monitoring: {subscribe_new_heads: false, new_heads_staleness_threshold_ms: 9}
failover: {max_backfill_blocks: 7, backfill_timeout: 8}"""


def test_without_a_websocket_section_its_older_places_are_read(chain: Callable[[str], Chain]) -> None:
    assert chain(OLD).websocket == WebSocketPolicy(False, 9, 7, 8)
    assert chain("failover: {backfill_timeout_ms: 5, backfill_timeout: 8}").websocket.backfill_timeout_ms == 5


def test_with_a_websocket_section_the_older_places_are_passed_over_but_still_checked(
    chain: Callable[[str], Chain], faults: Faults, with_chain: Build
) -> None:
    assert chain(f"{OLD}\nwebsocket: {{new_heads_timeout_ms: 3}}").websocket == WebSocketPolicy(new_heads_timeout_ms=3)
    found = faults(with_chain("websocket: {}\nfailover: {backfill_timeout: soon}"))
    assert found == ["4: 'backfill_timeout' must be a positive integer, found 'soon'"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("block_time_ms: 0", "3: 'block_time_ms' must be a positive integer, found '0'"),
        ("monitoring:\n  probe_interval_ms: 0", "4: 'probe_interval_ms' must be a positive integer"),
        ("monitoring:\n  probe_interval: 5", "4: unknown key 'probe_interval' in monitoring (did you mean"),
        ("selection:\n\n  max_lag_blocks: -1", "5: 'max_lag_blocks' must be a non-negative integer"),
        ("selection: {archival_threshold: null}", "3: 'archival_threshold' must be an integer, found nothing"),
        ("websocket:\n  failover:\n    backfill_timeout: 1", "5: unknown key 'backfill_timeout' in failover"),
        ("websocket: true", "3: 'websocket' must hold `key: value` lines, found 'true'"),
        ("ui-topology: {size: big}", "3: 'size' must be one of sm, md, lg, xl; found 'big'"),
        ("ui-topology:\n  color: red;background", "4: 'color' must be written like '#6B7280'"),
        ("ui_topology: {}", "3: unknown key 'ui_topology' in chain 'ethereum' (did you mean 'ui-topology'?)"),
        ("aliases: [a, 'b c']", "3: alias 'b c' must consist of"),
        ("aliases: [fastest]", "3: alias 'fastest' is a word of the routes"),
        ("aliases: eth", "3: 'aliases' must be a list of strings"),
        ("aliases:\n  - eth\n  - eth", "5: duplicate alias 'eth': this chain is called that already"),
    ],
)
def test_each_mistake_has_its_message_and_line(faults: Faults, with_chain: Build, lines: str, told: str) -> None:
    found = faults(with_chain(lines))
    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize("written", ["0", "-1", "one", "0x1", '"1"', "1.0", "99999999999999999999", "[1]", ""])
def test_a_chain_id_is_a_positive_integer(faults: Faults, written: str) -> None:
    chain = f"chain_id: {written}\n    providers: [{{id: a, url: 'https://a'}}]"
    found = faults(f"chains:\n  ethereum:\n    {chain}\n")
    assert len(found) == 1
    assert found[0].startswith("3: ")
    assert "chain_id" in found[0]


def test_a_missing_chain_id_is_reported_at_the_chains_key(faults: Faults) -> None:
    found = faults("chains:\n\n  ethereum:\n    # nothing here\n    providers: [{id: a, url: 'https://a'}]\n")
    assert found == ["3: chain 'ethereum' needs 'chain_id'"]

"""Plans by what is known of heads and archives. Heads are told by hand; nobody is dialled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import attrs
import pytest
from structlog.testing import capture_logs

from lasso_trio.config.profile import Capabilities, Chain, Limits, Profile, Provider, Selection, Strategy
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.methods import known
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.registry import Registry
from lasso_trio.routing import archival
from lasso_trio.routing.plan import REFRESH_S, Plan
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.upstream.http1 import Pool

NOW = 1000.0
OLD = '[{"to":"0x1"},"0x1"]'


def chain(
    heights: Mapping[str, int | None], max_lag: int | None = 3, pruned: tuple[str, ...] = (), threshold: int = 128
) -> RoutedChain:
    providers = tuple(
        Provider(name, name, f"1:{name}:0", SecretUrl(f"http://{name}/"), priority=rank, archival=name not in pruned)
        for rank, name in enumerate(heights, 1)
    )
    selection = Selection(max_lag_blocks=max_lag, archival_threshold=threshold)
    its = Chain("ethereum", 1, "Ethereum", providers, selection=selection)
    profile = Profile("default", "Default", (its,))
    registry = Registry(Pool, Random(1))
    registry.add([profile])
    routed = RoutedChain.of(profile, its, registry)
    tell(routed, heights)
    return routed


def tell(routed: RoutedChain, heights: Mapping[str, int | None], now: float = NOW) -> None:
    for candidate in routed.candidates:
        height = heights[candidate.provider.id]
        if height is not None:
            candidate.head.tell(height, now, 12.0)


def plan(
    routed: RoutedChain, name: str = "eth_call", params: str = "[]", now: float = NOW, pinned: str | None = None
) -> Plan:
    method = known(name)
    assert method is not None
    return routed.plan(method, params.encode(), now, Strategy.PRIORITY, None, pinned)


def test_a_profiles_max_block_age_decides_for_the_methods_it_names() -> None:
    it = chain({"a": 1000, "b": 1000})
    limits = Limits(max_block_age=100, block_age_methods=("eth_getBlockReceipts",))
    first = it.candidates[0]
    first.provider = attrs.evolve(first.provider, capabilities=Capabilities(limits=limits))
    it._aged = True
    assert asked(plan(it, "eth_getBlockReceipts", '["0x1"]')) == "b"
    assert asked(plan(it, "eth_getBlockReceipts", '["0x3e0"]')) == "ab"
    assert asked(plan(it, "eth_getBlockByNumber", '["0x1",false]')) == "ab"


def asked(its: Plan) -> str:
    return "".join(label[0] for label in its.labels)


def reasons(its: Plan) -> dict[str, str]:
    return {exclusion.label[0]: exclusion.reason for exclusion in its.excluded}


def test_who_lags_is_left_out_and_comes_back() -> None:
    routed = chain({"a": 990, "b": 1000, "c": 1000, "d": None})
    first = plan(routed)
    assert (asked(first), reasons(first)) == ("bcd", {"a": "lagging"})
    tell(routed, {"a": 1001, "b": 1001, "c": 1001, "d": None}, NOW + 12)
    assert asked(plan(routed, now=NOW + 12)) == "abcd"


def test_without_a_configured_lag_nobody_lags() -> None:
    assert asked(plan(chain({"a": 1, "b": 1000, "c": 1000}, max_lag=None))) == "abc"


def test_when_everybody_lags_all_are_kept_and_it_is_said_once_a_minute() -> None:
    routed = chain({"a": 1000, "b": 1000})
    plan(routed)
    tell(routed, {"a": 10, "b": 10}, NOW + 1)
    with capture_logs() as told:
        for step in range(1, 9):
            assert asked(plan(routed, now=NOW + step)) == "ab"
    assert routed.heads.kept_all == 8
    assert [line["event"] for line in told] == ["plan.everybody_lags"]


def test_a_named_provider_is_asked_although_it_lags() -> None:
    assert asked(plan(chain({"a": 990, "b": 1000, "c": 1000}), pinned="a")) == "a"


@pytest.mark.parametrize(("check", "reason"), [(ChainCheck.WRONG, "wrong_chain"), (ChainCheck.PENDING, "unverified")])
def test_another_chain_is_never_asked_not_even_alone(check: ChainCheck, reason: str) -> None:
    routed = chain({"a": 1000, "b": 1000})
    routed.candidates[0].head.check = check
    assert (asked(plan(routed)), reasons(plan(routed))) == ("b", {"a": reason})
    assert asked(plan(routed, pinned="a")) == ""


def test_old_state_is_asked_of_archives_recent_state_of_everybody() -> None:
    routed = chain({"a": 1000, "b": 1000}, pruned=("a",))
    old = plan(routed, params=OLD)
    assert (asked(old), reasons(old)) == ("b", {"a": "not_archival"})
    assert asked(plan(routed, params='[{},"0x3e8"]')) == "ab"
    assert asked(plan(routed, params='[{},"latest"]')) == "ab"
    assert asked(plan(routed, "eth_gasPrice")) == "ab"
    assert asked(plan(routed, "eth_feeHistory", '["0x1","0x1",[]]')) == "ab"


def test_without_a_head_only_what_is_surely_old_needs_an_archive() -> None:
    routed = chain({"a": None, "b": None}, pruned=("a",))
    assert asked(plan(routed, params=OLD)) == "ab"
    assert asked(plan(routed, params='[{},"earliest"]')) == "b"
    assert asked(plan(routed, params='[{},{"blockHash":"0x1"}]')) == "b"


def test_old_state_that_nobody_keeps_is_asked_of_everybody() -> None:
    assert asked(plan(chain({"a": 1000, "b": 1000}, pruned=("a", "b")), params=OLD)) == "ab"


def test_who_has_the_block_is_asked_first_and_the_others_after_that() -> None:
    routed = chain({"a": 998, "b": 1000, "c": 1000})
    fresh = plan(routed, "eth_getBlockByNumber", '["0x3e8",false]')
    assert (asked(fresh), fresh.top, reasons(fresh)) == ("bca", 2, {})
    assert asked(plan(routed, "eth_getBlockByNumber", '["0x3e6",false]')) == "abc"
    assert asked(plan(routed, "eth_getBlockByNumber", '["0x3e9",false]')) == "abc"


def test_calls_that_need_nothing_share_the_cached_plan_and_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = chain({"a": 1000, "b": 999}, pruned=("a",))
    calls: list[str] = []
    original: Callable[[str, bytes], archival.BlockNeed] = archival.read
    monkeypatch.setattr(archival, "read", lambda method, params: calls.append(method) or original(method, params))
    assert plan(routed, "eth_gasPrice") is plan(routed, "eth_gasPrice")
    assert calls == []
    monkeypatch.setattr(archival, "_decode", None)
    assert plan(routed, params='[{},"latest"]') is plan(routed, params='[{},"latest"]')


def test_what_is_known_is_at_most_a_quarter_of_a_second_old() -> None:
    routed = chain({"a": 1000, "b": 1000, "c": 1000})
    assert asked(plan(routed)) == "abc"
    tell(routed, {"a": 900, "b": 1000, "c": 1000}, NOW + 0.1)
    assert asked(plan(routed, now=NOW + REFRESH_S)) == "bc"


def test_latest_is_the_height_agreed_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = chain({"a": 998, "b": 1000, "c": 1000})
    monkeypatch.setattr("trio.current_time", lambda: NOW)
    assert routed.latest_height() == 1000


def test_who_told_that_it_keeps_no_block_so_old_is_not_asked_for_one() -> None:
    routed = chain({"a": 1000, "b": 1000})
    routed.candidates[0].channel.learned.told(Kind.EARLIEST, 500, NOW)
    for name, params in (("eth_call", OLD), ("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x2"}]')):
        old = plan(routed, name, params)
        assert (asked(old), reasons(old)) == ("b", {"a": "pruned"})
    assert asked(plan(routed, params='[{},"0x1f4"]')) == "ab"
    assert asked(plan(routed, "eth_gasPrice")) == "ab"


def test_a_log_query_that_fits_everybodys_range_still_asks_for_an_archive() -> None:
    routed = chain({"a": 1000, "b": 1000}, pruned=("a",))
    routed._ranged = True
    assert asked(plan(routed, "eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x2"}]')) == "b"

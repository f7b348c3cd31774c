"""Why a call would go where it would go."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from lasso_trio.config.profile import Capabilities, Limits, MethodOverride, Routing, Strategy, Transport
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.learned import Kind
from lasso_trio.routing.explain import WORDS
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import ANYTHING, Service, Wish

Chains = Callable[..., RoutedChain]
NOW = 100.0
PRIORITY = Routing(default_strategy=Strategy.PRIORITY)


def explained(chain: RoutedChain, method: str = "eth_gasPrice", params: str = "[]", wish: Wish = ANYTHING) -> Any:
    request = decode(f'{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}'.encode())
    assert isinstance(request, Request)
    return Service(Random(1), clock=lambda: NOW).explain(chain, wish, request, NOW)


def excluded(row: Any) -> dict[str, str]:
    return {each["label"]: each["reason"] for each in row["excluded"]}


def test_candidates_come_in_the_order_they_would_be_asked(chain_of: Chains) -> None:
    row = explained(chain_of("a", "b", routing=PRIORITY))
    assert [(each["rank"], each["label"], each["tier"]) for each in row["candidates"]] == [
        (1, "a:http", 0),
        (2, "b:http", 0),
    ]
    assert row["chosen_first"] == {"label": "a:http", "reason": "static_priority"}
    assert (row["answer"], row["strategy"], row["refusal"], row["excluded"]) == ("upstream", "priority", None, [])
    assert (row["profile"], row["chain"], row["chain_id"], row["method"]) == ("default", "ethereum", 1, "eth_gasPrice")
    assert row["most_dispatches"] == 3
    assert explained(chain_of("a"), "eth_newFilter", "[{}]")["most_dispatches"] == 1
    assert explained(chain_of("a"), "eth_sendRawTransaction", '["0x00"]')["most_dispatches"] == 4  # to one each


def test_the_hedge_that_would_follow_is_told(chain_of: Chains) -> None:
    fastest = chain_of("a", "b", routing=Routing(Strategy.FASTEST))
    assert explained(fastest, "eth_call")["hedge"] == {
        "delay_ms": 500.0,
        "quantile": 0.97,
        "most_extra": 1,
        "suppressed": None,
    }
    fastest.counts.hedges.tokens = 0.0
    assert explained(fastest, "eth_call")["hedge"]["suppressed"] == "budget"
    assert explained(fastest, "eth_sendRawTransaction", '["0x00"]')["hedge"] is None
    assert explained(chain_of("a", "b", routing=PRIORITY))["hedge"] is None


def test_what_the_client_says_of_hedging_is_minded(chain_of: Chains) -> None:
    fastest, steady = chain_of("a", "b", routing=Routing(Strategy.FASTEST)), chain_of("a", "b", routing=PRIORITY)
    for chain in (fastest, steady):
        assert explained(chain, "eth_call", wish=Wish(hedge_s=0.02))["hedge"]["delay_ms"] == 20.0
        assert explained(chain, "eth_call", wish=Wish(hedge_s=inf))["hedge"] is None
    assert explained(fastest, "eth_sendRawTransaction", '["0x00"]', wish=Wish(hedge_s=0.02))["hedge"] is None
    assert explained(chain_of("a"), "eth_call", wish=Wish(hedge_s=0.02))["hedge"] is None


def test_nothing_is_counted_and_nothing_is_admitted(chain_of: Chains) -> None:
    chain = chain_of("a")
    explained(chain)
    assert (chain.counts.calls, chain.candidates[0].tally.attempts, chain.candidates[0].channel.in_flight) == (0, 0, 0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: c.channel.cordon(out=True), "cordoned"),
        (lambda c: c.channel.breaker.quarantine("auth_error", NOW, 30.0), "quarantined"),
        (lambda c: setattr(c.head, "check", ChainCheck.WRONG), "wrong_chain"),
        (lambda c: setattr(c.head, "check", ChainCheck.PENDING), "unverified"),
        (lambda c: setattr(c.channel, "pool", None), "not_connected"),
    ],
)
def test_each_exclusion_has_its_reason_in_a_word_and_in_words(chain_of: Chains, spoil: Any, reason: str) -> None:
    chain = chain_of("a", "b", routing=PRIORITY)
    spoil(chain.candidates[0])
    row = explained(chain)
    assert excluded(row) == {"a:http": reason}
    assert row["excluded"][0]["why"] == WORDS[reason]
    assert [each["label"] for each in row["candidates"]] == ["b:http"]


def test_an_open_breaker_is_shown_with_its_reason_and_its_end(chain_of: Chains) -> None:
    chain = chain_of("a")
    chain.candidates[0].channel.breaker.quarantine("auth_error", NOW, 30.0)
    row = explained(chain)
    assert row["answer"] == "refused"
    assert row["refusal"]["category"] == "circuit_open"
    assert row["excluded"][0]["breaker"] == {
        "state": "open", "reason": "auth_error", "quarantined": True, "retry_after_ms": 30_000,
    }  # fmt: skip
    assert row["chosen_first"] is None


def test_a_cordoned_provider_is_refused_even_to_those_who_name_it(chain_of: Chains) -> None:
    chain = chain_of("a", "b")
    chain.candidates[0].channel.cordon(out=True)
    row = explained(chain, wish=Wish(provider="a"))
    assert (row["refusal"]["category"], row["refusal"]["message"]) == (
        "cordoned", "No available channels: taken out of service by the operator",
    )  # fmt: skip
    assert excluded(row) == {"a:http": "cordoned", "b:http": "not_named"}


def test_what_the_transport_the_method_and_the_override_leave_out(chain_of: Chains) -> None:
    override = Routing(Strategy.PRIORITY, {"eth_gasPrice": MethodOverride(providers=("b",))})
    assert excluded(explained(chain_of("a", "b", routing=override))) == {"a:http": "not_named"}
    unable = {"a": Capabilities(unsupported_methods=("eth_gasPrice",))}
    assert excluded(explained(chain_of("a", "b", capabilities=unable))) == {"a:http": "unsupported_method"}
    row = explained(chain_of("a", ws=["a"]), wish=Wish(transport=Transport.WS))
    assert excluded(row) == {"a:http": "transport", "a:ws": "not_connected"}


def test_old_state_is_asked_of_archives(chain_of: Chains) -> None:
    chain = chain_of("a", "b")
    for candidate in chain.candidates:
        candidate.head.tell(1000, NOW, 12.0)
    chain.candidates[0].provider = attrs.evolve(chain.candidates[0].provider, archival=False)
    chain._pruned = True
    row = explained(chain, "eth_getBalance", '["0x00","0x1"]')
    assert excluded(row) == {"a:http": "not_archival"}
    assert (row["block"]["head"], row["block"]["lowest"], row["block"]["needs_old_state"]) == (1000, 1, True)
    assert not explained(chain, "eth_getBalance", '["0x00","latest"]')["block"]["needs_old_state"]


def test_a_range_of_logs_is_held_against_configured_and_learned_limits(chain_of: Chains) -> None:
    narrow = {"a": Capabilities(limits=Limits(max_block_range=10))}
    chain = chain_of("a", "b", "c", capabilities=narrow, routing=PRIORITY)
    chain.candidates[1].channel.learned.told(Kind.BLOCKS, 50, NOW)
    row = explained(chain, "eth_getLogs", '[{"fromBlock":"0x0","toBlock":"0x64"}]')
    assert (row["block"]["span"], row["may_be_split"], row["parts"]) == (100, True, 1)
    assert row["chosen_first"] == {"label": "c:http", "reason": "static_priority"}
    assert excluded(row) == {"a:http": "log_limits", "b:http": "log_limits"}
    limits = {each["label"]: each["limits"] for each in (*row["candidates"], *row["excluded"])}
    assert limits["a:http"] == {"max_block_range": 10, "learned": {}, "takes_range": False}
    assert limits["b:http"] == {"max_block_range": None, "learned": {"blocks": 50}, "takes_range": False}
    assert limits["c:http"]["takes_range"] is True
    assert explained(chain)["candidates"][0]["limits"]["takes_range"] is None


def test_logs_that_nobody_takes_whole_are_explained_by_their_first_part(chain_of: Chains) -> None:
    limits = {name: Capabilities(limits=Limits(max_block_range=most)) for name, most in (("a", 9), ("b", 24))}
    chain = chain_of("a", "b", capabilities=limits, routing=PRIORITY)
    chain.candidates[1].channel.learned.told(Kind.EARLIEST, 1, NOW)
    row = explained(chain, "eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x64"}]')
    assert (row["answer"], row["parts"], row["chosen_first"]["label"]) == ("upstream", 4, "b:http")
    assert excluded(row) == {"a:http": "log_limits"}
    row = explained(chain, "eth_getLogs", '[{"fromBlock":"0x0","toBlock":"0x5"}]')
    assert (row["parts"], row["chosen_first"]["label"], excluded(row)) == (1, "a:http", {"b:http": "pruned"})


def two_heights(chain_of: Chains) -> RoutedChain:
    chain = chain_of("a", "b", routing=PRIORITY)
    for candidate, height in zip(chain.candidates, (990, 1000), strict=True):
        candidate.head.tell(height, NOW - 1, 12.0)
    return chain


def test_who_has_not_told_of_the_block_that_the_client_must_not_fall_behind_is_out(chain_of: Chains) -> None:
    row = explained(two_heights(chain_of), wish=Wish(min_block=1000))
    assert (row["answer"], row["chosen_first"]["label"], excluded(row)) == ("upstream", "b:http", {"a:http": "behind"})
    assert [each["head"]["has_least"] for each in (*row["candidates"], *row["excluded"])] == [True, False]
    assert row["block"]["least"] == 1000


def test_a_block_beyond_everybody_makes_the_call_ask_for_heights_first(chain_of: Chains) -> None:
    row = explained(two_heights(chain_of), "eth_getBalance", '["0x00","latest"]', wish=Wish(min_block=9000))
    assert (row["answer"], row["chosen_first"], row["candidates"]) == ("heights_first", None, [])
    assert (row["refusal"]["category"], excluded(row)) == ("behind_session", {"a:http": "behind", "b:http": "behind"})


def test_a_tip_is_asked_of_everybody_and_last_of_those_behind(chain_of: Chains) -> None:
    row = explained(two_heights(chain_of), "eth_blockNumber", wish=Wish(min_block=1000))
    assert [each["label"] for each in row["candidates"]] == ["b:http", "a:http"]
    assert (row["answer"], row["excluded"]) == ("upstream", [])


def test_a_session_is_minded_and_not_used(chain_of: Chains) -> None:
    chain, service = two_heights(chain_of), Service(Random(1), clock=lambda: NOW)
    request = decode(b'{"jsonrpc":"2.0","id":7,"method":"eth_gasPrice","params":[]}')
    assert isinstance(request, Request)
    assert service.explain(chain, Wish(session="x"), request, NOW)["chosen_first"]["label"] == "a:http"
    assert len(service.sessions) == 0
    service.sessions.get(("default", 1, "x"), NOW).show(995)
    row = service.explain(chain, Wish(session="x"), request, NOW)
    assert (row["chosen_first"]["label"], excluded(row), row["block"]["least"]) == ("b:http", {"a:http": "behind"}, 995)
    assert service.explain(chain, Wish(session="y"), request, NOW)["excluded"] == []


def test_a_session_asks_no_floor_of_what_is_sent_once(chain_of: Chains) -> None:
    row = explained(two_heights(chain_of), "eth_newBlockFilter", wish=Wish(min_block=9000))
    assert (row["answer"], row["block"]["least"]) == ("upstream", None)


def test_speed_and_limits_of_each_are_shown(chain_of: Chains) -> None:
    chain = chain_of("a", "b", routing=PRIORITY)
    channel = chain.candidates[0].channel
    for _ in range(20):
        channel.succeeded("eth_gasPrice", 0.02, NOW)
    channel.cooldown.begin(NOW, 5.0, Random(1))
    b, a = explained(chain)["candidates"]
    assert (a["label"], a["expected_ms"], a["unmeasured"]) == ("a:http", pytest.approx(20, rel=0.2), False)
    assert a["cooldown_ms"] >= 5000
    assert (b["tied"], a["tied"], b["unmeasured"]) == (True, False, True)


def test_what_needs_no_provider_says_so(chain_of: Chains) -> None:
    chain = chain_of("a")
    assert explained(chain, "eth_chainId")["answer"] == "local"
    refused = explained(chain, "eth_accounts")
    assert (refused["answer"], refused["candidates"]) == ("refused", [])
    assert refused["refusal"]["code"] < 0
    assert explained(chain, wish=Wish(provider="nobody"))["answer"] == "refused"


def test_the_page_names_every_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    assert all(f"| `{reason}` | {words} |" in page for reason, words in WORDS.items())

from __future__ import annotations

from collections.abc import Callable

from lasso_trio.routing.routed_chain import RoutedChain


def test_a_candidate_is_called_by_its_provider_and_transport(chain_of: Callable[..., RoutedChain]) -> None:
    http, ws = chain_of("a", ws=["a"]).candidates
    assert (http.label, ws.label) == ("a:http", "a:ws")
    assert (http.transport.value, ws.transport.value) == ("http", "ws")
    assert repr(http) == "<Candidate a:http>"


def test_two_names_of_one_upstream_share_its_channel_and_keep_their_own_counts(
    chain_of: Callable[..., RoutedChain],
) -> None:
    a, b = chain_of("a", "b", instances={"b": "1:a:0"}).candidates
    assert a.channel is b.channel
    a.tally.attempts += 1
    assert b.tally.attempts == 0

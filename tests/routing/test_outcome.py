from __future__ import annotations

from collections.abc import Callable

from lasso_trio.jsonrpc.errors import no_channels
from lasso_trio.jsonrpc.large_reply import recognise
from lasso_trio.jsonrpc.methods import lookup
from lasso_trio.jsonrpc.reply import check
from lasso_trio.providers.breaker import State
from lasso_trio.routing.outcome import Large, Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.upstream.reply import Reply, Timings
from lasso_trio.upstream.response_head import ResponseHead


def test_an_error_is_a_failure_whoever_speaks_it() -> None:
    assert not Outcome(reply=check(b'{"jsonrpc":"2.0","id":1,"result":1}', 1)).failed
    assert Outcome(reply=check(b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"revert"}}', 1)).failed
    assert Outcome(error=no_channels()).failed


def test_a_result_that_breaks_off_is_held_against_its_provider(chain_of: Callable[..., RoutedChain]) -> None:
    (candidate,) = chain_of("a").candidates
    head = ResponseHead(200, b"", None, True, True, b"")
    passing = recognise(b'{"jsonrpc":"2.0","id":1,"result":"' + b"x" * 200, 1, b"7")
    assert passing is not None
    method = lookup("eth_getLogs", b'"eth_getLogs"')
    large = Large(passing, Reply(head, b"", None, Timings()), candidate, method)
    assert not Outcome(large=large).failed
    for _ in range(3):
        candidate.channel.succeeded("eth_getLogs", 0.1, 100.0)
    for _ in range(3):
        large.broke_off(100.0)
    assert candidate.tally.failures == 3
    assert candidate.channel.row("eth_getLogs").failures(100.0) == 3
    assert candidate.channel.breaker.state(100.0) is State.OPEN

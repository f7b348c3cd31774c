from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lasso_trio.config.profile import Capabilities, Limits
from lasso_trio.jsonrpc.errors import RpcError, reply_too_large, upstream_http_status
from lasso_trio.jsonrpc.reply import check
from lasso_trio.providers.classify import classify
from lasso_trio.providers.learned import Kind
from lasso_trio.routing import filters
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.log_filter import LogQuery
from lasso_trio.routing.log_refusals import Refusals, cap_of
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.split import Cap

Build = Callable[..., Any]
NOW = 5.0
QUERY = LogQuery(0, 999, (b'"0xA"',))


def said(candidate: Any, text: str) -> Attempt:
    return Attempt(
        candidate, check(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"%b"}}' % text.encode(), 1)
    )


def test_the_profiles_word_and_what_was_learned_hold_both(chain_of: Build) -> None:
    stated = {
        "a": Capabilities(limits=Limits(max_block_range=300)),
        "c": Capabilities(limits=Limits(max_block_range=0)),
    }
    a, b, c = chain_of("a", "b", "c", capabilities=stated).candidates
    assert [cap_of(one, NOW) for one in (a, b, c)] == [Cap(301), Cap(), Cap(1)]
    a.channel.learned.told(Kind.BLOCKS, 100, NOW)
    b.channel.learned.told(Kind.ADDRESSES, 7, NOW)
    assert [cap_of(one, NOW) for one in (a, b)] == [Cap(100), Cap(None, 7)]


@pytest.mark.parametrize("span", [0, 1, 300])
def test_the_profiles_word_means_the_same_to_those_who_cut_and_to_those_who_choose(chain_of: Build, span: int) -> None:
    stated = {"a": Capabilities(limits=Limits(max_block_range=span))}
    candidates = chain_of("a", "b", capabilities=stated).candidates
    for more in (0, 1):
        query = LogQuery(5, 5 + span + more)
        chosen = candidates[0] in filters.by_block_range(candidates, filters.block_span(query.encode()))[0]
        assert cap_of(candidates[0], NOW).takes(query) == chosen == (more == 0)


def test_a_refusal_is_learned_by_who_said_it(chain_of: Build) -> None:
    a, b = chain_of("a", "b").candidates
    refusals = Refusals(QUERY, lambda: NOW, alone=True)
    assert not refusals.hear(said(a, "max block range 100"))
    assert (refusals.too_large, refusals.dense, refusals.suggested) == (True, False, None)
    assert [cap_of(one, NOW) for one in (a, b)] == [Cap(100), Cap()]


@pytest.mark.parametrize("alone", [True, False])
def test_too_many_results_end_the_asking_for_a_part_only(chain_of: Build, alone: bool) -> None:
    (a,) = chain_of("a").candidates
    refusals = Refusals(QUERY, lambda: NOW, alone=alone)
    assert refusals.hear(said(a, "query returned more than 10 results, try [0x0, 0x9]")) is alone
    assert (refusals.dense, refusals.suggested, cap_of(a, NOW)) == (True, 10, Cap())


@pytest.mark.parametrize(
    ("error", "large"),
    [(reply_too_large(), True), (upstream_http_status(413), True), (upstream_http_status(503), False)],
)
def test_an_answer_that_is_too_big_for_somebody_is_too_large(chain_of: Build, error: RpcError, large: bool) -> None:
    (a,) = chain_of("a").candidates
    refusals = Refusals(QUERY, lambda: NOW, alone=False)
    refusals.conclude(Outcome(error=error, candidate=a))
    assert (refusals.too_large, refusals.dense) == (large, large)


EITHER = "exceed max addresses or topics per search position"
ONE, TWO = (b'"0xA"',), (b'"0xA"', b'"0xB"')
CHOICE = (b"null", b'["0x1","0x2","0x3"]')


@pytest.mark.parametrize(
    ("text", "query", "topics", "known"),
    [
        (EITHER, LogQuery(0, 9, ONE, CHOICE), True, Cap()),
        (EITHER, LogQuery(0, 9, (), CHOICE), True, Cap()),
        (EITHER, LogQuery(0, 9, TWO, CHOICE), True, Cap()),
        (EITHER, LogQuery(0, 9, TWO, (b'["0x1"]',)), False, Cap(None, 1)),
        ("too many addresses", LogQuery(0, 9, TWO, CHOICE), False, Cap(None, 1)),
        ("too many addresses", LogQuery(0, 9, ONE, CHOICE), True, Cap()),
        ("too many addresses", LogQuery(0, 9, ONE), False, Cap()),
    ],
)
def test_too_many_topics_are_no_word_about_addresses(
    chain_of: Build, text: str, query: LogQuery, topics: bool, known: Cap
) -> None:
    (a,) = chain_of("a").candidates
    refusals = Refusals(query, lambda: NOW, alone=True)
    assert not refusals.hear(said(a, text))
    assert (refusals.topics, refusals.too_large, cap_of(a, NOW)) == (topics, True, known)


def test_the_last_word_is_heard_once_and_success_teaches(chain_of: Build) -> None:
    (a,) = chain_of("a").candidates
    refused, good = said(a, "max block range 100"), check(b'{"jsonrpc":"2.0","id":1,"result":[]}', 1)
    refusals = Refusals(QUERY, lambda: NOW, alone=False)
    refusals.conclude(Outcome(reply=refused.reply, candidate=a))
    refusals.conclude(Outcome(reply=refused.reply, candidate=a))
    assert len(refusals.told) == 1
    refusals.conclude(Outcome(reply=good, candidate=a))
    assert cap_of(a, NOW).blocks == 1000
    refusals.conclude(Outcome(reply=good))


@pytest.mark.parametrize(("code", "known"), [(-32614, Cap(500)), (-32603, Cap())])
def test_what_the_row_teaches_is_learned_where_the_text_names_nothing(chain_of: Build, code: int, known: Cap) -> None:
    (a,) = chain_of("a").candidates
    done = said(a, "no")
    done.verdict = classify(200, code, "no", None)
    Refusals(QUERY, lambda: NOW, alone=False).hear(done)
    assert cap_of(a, NOW) == known

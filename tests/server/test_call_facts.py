"""What is known of a call that is over, and where it stands in the answer."""

from __future__ import annotations

import json

import pytest

from lasso_trio.config.profile import Strategy
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.service import Served
from lasso_trio.server.call_facts import facts_of, meta_member, meta_of, with_members
from tests.server.test_rpc_answer import exchange, reply, request


def test_facts_of_a_call_that_nobody_had_to_be_asked_for() -> None:
    answered = Served(Outcome(Reply(b"", b"", None, 1), reason="local"), Strategy.PRIORITY)
    facts = facts_of(exchange(), request(), answered, 10.001)
    assert (facts.provider, facts.transport, facts.breaker_state, facts.candidates) == ("", "", "unknown", [])
    assert (facts.profile, facts.chain, facts.chain_id, facts.method) == ("public", "eth", 1, "eth_call")


def test_facts_of_one_that_somebody_answered() -> None:
    meta = json.loads(meta_of(exchange(), request(), reply(), 10.5))
    assert meta["selected_provider"] == {"id": "alpha", "protocol": "http"}
    assert (meta["circuit_breaker_state"], meta["end_to_end_latency_ms"]) == ("closed", 500)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b'{"id":1}', b'{"id":1,"lasso_meta":{"a":"}"}}'), (b'{"id":{}\n} \n', b'{"id":{}\n,"lasso_meta":{"a":"}"}} \n')],
)
def test_members_stand_before_the_last_brace(text: bytes, expected: bytes) -> None:
    assert with_members(text, meta_member(b'{"a":"}"}')) == expected
    assert with_members(text, b"") is text

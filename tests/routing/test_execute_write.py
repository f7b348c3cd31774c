"""A signed transaction over several simulated providers, which share a chain (what one accepted, another knows)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Routing, Strategy
from lasso_trio.devnet import Chain, Faults, Kind, Latency
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.execute_write import broadcast
from lasso_trio.routing.retry_budget import RetryBudget
from tests.routing.conftest import told
from tests.routing.writes import (
    BROKEN,
    DOWN,
    DYING,
    FINE,
    GONE,
    HANGING,
    HASH,
    INDETERMINATE,
    POOR,
    RAW,
    THROTTLED,
    USED,
    call_of,
    drained,
    failing,
    looked_up,
    saying,
    sent,
    slow,
    write,
)  # fmt: skip

Build = Callable[..., Any]
Clock = trio.testing.MockClock


async def test_it_goes_to_two_and_the_first_acceptance_is_the_answer_at_once(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": slow(3), "b": slow(1), "c": FINE})
    outcome = await write(it, afterwork)
    assert told(outcome) == {"jsonrpc": "2.0", "id": 7, "result": HASH}
    assert (outcome.candidate, outcome.retries, trio.current_time()) == (it["b"], 0, 1)
    assert sent(it) == {"a": 1, "b": 1}
    await drained(it, afterwork)
    assert it["a"].tally.answered == 1  # it was not cancelled by the other's answer
    assert looked_up(it) == set()


@pytest.mark.parametrize("width", [1, 3, 9])
async def test_its_profile_says_how_many_are_sent_it(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, width: int
) -> None:
    it = world({"a": slow(1), "b": slow(1), "c": slow(1)}, routing=Routing(Strategy.PRIORITY, broadcast=width))
    assert told(await write(it, afterwork))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == dict.fromkeys("abc"[:width], 1)


@pytest.mark.parametrize(
    "words", ["already known", "AlreadyKnown", "known transaction: 0x12", "transaction already imported"]
)
async def test_that_it_is_known_already_is_success(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, words: str
) -> None:
    it = world({"a": HANGING, "b": saying(words)})
    outcome = await write(it, afterwork)
    assert told(outcome) == {"jsonrpc": "2.0", "id": 7, "result": HASH}
    assert (outcome.failed, outcome.reason) == (False, "known")


async def test_sending_it_again_gives_the_same_answer(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": FINE, "b": FINE})
    assert told(await write(it, afterwork)) == told(await write(it, afterwork))


async def test_all_refusals_are_waited_for_and_one_acceptance_beats_them(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": POOR, "b": slow(2), "c": FINE})
    assert told(await write(it, afterwork))["result"] == HASH
    assert sent(it) == {"a": 1, "b": 1}


async def test_when_all_refuse_a_nodes_verdict_is_told_as_it_came(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": saying("invalid params", -32602), "b": POOR, "c": FINE})
    outcome = await write(it, afterwork)
    assert told(outcome)["error"]["message"] == "insufficient funds for gas * price + value"
    assert (outcome.failed, outcome.candidate) == (True, it["b"])
    assert sent(it) == {"a": 1, "b": 1}
    assert looked_up(it) == set()


async def test_a_used_nonce_is_success_if_the_transaction_is_there(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": USED, "b": USED, "c": FINE})
    it.network.providers["c"].chain.accept_transaction(RAW[2:-2].decode())
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.reason) == (HASH, "looked_up")
    assert sent(it) == {"a": 1, "b": 1}


async def test_a_used_nonce_is_an_error_if_it_is_nowhere(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": USED, "b": POOR, "c": FINE})
    assert told(await write(it, afterwork))["error"]["message"] == "nonce too low: next nonce 6, tx nonce 5"
    assert looked_up(it) == {"a", "b", "c"}


async def test_a_used_nonce_is_told_though_another_is_silent(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": GONE, "b": USED})
    assert told(await write(it, afterwork))["error"]["message"] == "nonce too low: next nonce 6, tx nonce 5"


async def test_a_used_nonce_is_looked_up_at_once_while_another_is_silent(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": USED, "b": HANGING, "c": FINE})
    it.network.providers["c"].chain.accept_transaction(RAW[2:-2].decode())
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.reason, trio.current_time()) == (HASH, "looked_up", 0)
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1}  # it is found: nobody takes the silent one's place


async def test_an_acceptance_beats_a_used_nonce_while_that_is_looked_up(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": USED, "b": HANGING, "c": FINE})
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.candidate, trio.current_time()) == (HASH, it["c"], 2)
    assert looked_up(it)


async def test_a_used_nonce_is_told_when_the_silent_have_had_their_share_of_the_time(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": USED, "b": HANGING, "c": USED})
    assert told(await write(it, afterwork))["error"]["message"] == "nonce too low: next nonce 6, tx nonce 5"
    assert trio.current_time() < 3
    assert sent(it) == {"a": 1, "b": 1, "c": 1}
    await drained(it, afterwork)


async def test_a_provider_that_dies_after_accepting_makes_no_error(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": DYING, "b": DYING})
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.reason) == (HASH, "looked_up")
    assert sent(it) == {"a": 1, "b": 1}
    it.assert_nothing_leaked()


async def test_what_nobody_answers_for_and_nobody_has_is_indeterminate(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": GONE, "b": POOR})
    error = told(await write(it, afterwork))["error"]
    assert (error["message"], error["data"]) == (INDETERMINATE, {"transaction_hash": HASH})
    assert looked_up(it) == {"a", "b"}


async def test_silence_of_all_leaves_time_to_look_it_up(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world(dict.fromkeys("abcd", HANGING))
    it.network.providers["a"].chain.accept_transaction(RAW[2:-2].decode())
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], trio.current_time()) == (HASH, 8)
    await drained(it, afterwork)


async def test_an_acceptance_in_the_last_moment_ends_the_look_up(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": failing(Kind.HANG), "b": Faults(latency=Latency.constant(9000))})
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.candidate, trio.current_time()) == (HASH, it["b"], 9)


async def test_silence_to_the_end_is_indeterminate_in_time(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": HANGING, "b": HANGING})
    assert told(await write(it, afterwork))["error"]["message"] == INDETERMINATE
    assert trio.current_time() == 10
    await drained(it, afterwork)


async def test_errors_of_their_own_are_told_if_nobody_has_it(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": BROKEN, "b": THROTTLED})
    assert told(await write(it, afterwork))["error"]["message"] == "internal error"
    assert looked_up(it)


async def test_another_hash_is_a_broken_reply_and_counts_against_its_provider(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = world({"a": FINE})
    monkeypatch.setattr(Chain, "accept_transaction", lambda *_: "0x" + "00" * 32)
    assert told(await write(it, afterwork))["error"]["message"] == INDETERMINATE
    assert it["a"].tally.failures == 1


async def test_nobody_reached_is_not_indeterminate(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": FINE, "b": FINE})
    it.network.down |= {"a", "b"}
    assert told(await write(it, afterwork))["error"]["message"] == "Upstream connection failed"


async def test_when_all_breakers_have_opened_nobody_is_asked(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": FINE, "b": FINE})
    call = call_of(it)
    for name in "ab":
        it.channel(name).breaker.quarantine("tested", trio.current_time())
    error = told(await broadcast(call, Random(1), afterwork))["error"]
    assert "All circuit" in error["message"]
    assert sent(it) == {}


async def test_without_any_time_nobody_is_asked(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": FINE, "b": FINE})
    call = call_of(it)
    await trio.sleep(9.99)
    assert told(await broadcast(call, Random(1), afterwork))["error"]["message"] == "Request deadline exhausted"
    assert sent(it) == {}


async def test_a_client_that_leaves_takes_back_no_dispatch(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": slow(1), "b": slow(2)})
    with trio.move_on_after(0.5) as call:
        await write(it, afterwork)
    assert call.cancelled_caught
    await drained(it, afterwork)
    assert (it["a"].tally.answered, it["b"].tally.answered) == (1, 1)


# Without room for afterwork: one at a time


async def test_without_room_it_goes_to_one_at_a_time(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": DYING, "b": FINE, "c": FINE})
    outcome = await write(it)
    assert (told(outcome)["result"], outcome.candidate, outcome.retries) == (HASH, it["b"], 1)
    assert sent(it) == {"a": 1, "b": 1}
    it.assert_nothing_leaked()


async def test_without_room_a_client_that_leaves_cancels_all(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(1)})
    with trio.move_on_after(0.5) as call:
        await write(it)
    assert call.cancelled_caught
    await trio.lowlevel.checkpoint()
    it.assert_nothing_leaked()


async def test_what_has_no_hash_is_sent_once(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": GONE, "b": FINE})
    assert told(await write(it, afterwork, b'["0x71c0"]'))["error"]["message"] == INDETERMINATE
    assert sent(it) == {"a": 1}


# What it may cost


async def test_an_outage_is_not_multiplied_by_writes(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    """Without tokens: two are sent each, one more in their place, and one is asked for its hash."""
    it = world(dict.fromkeys("abcdefgh", DOWN))
    retries, writes = RetryBudget(tokens=0.0), 100
    async with trio.open_nursery() as clients:
        for _ in range(writes):
            clients.start_soon(write, it, afterwork, RAW, retries)
    await drained(it, afterwork)
    assert sum(sent(it).values()) <= 3 * writes + retries.spent
    assert sum(it.asked.values()) <= 4 * writes + retries.spent
    assert retries.spent <= 10 * trio.current_time()
    assert retries.tokens >= 0
    assert retries.refused


async def test_replacements_and_look_ups_are_paid(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it, retries = world({"a": GONE, "b": GONE, "c": POOR, "d": POOR}), RetryBudget()
    await write(it, afterwork, retries=retries)
    assert sum(it.asked.values()) == 2 + retries.spent
    assert (retries.spent > 2, retries.refused) == (True, 0)

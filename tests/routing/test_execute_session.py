from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.channel import State
from lasso_trio.routing.service import Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock
MINE = Wish(session="mine")
HEIGHT = "eth_blockNumber"
BALANCE = ("eth_getBalance", '["0x0000000000000000000000000000000000000001","latest"]')


async def height(it: Any, wish: Wish = MINE) -> int:
    return int((await it.ask(HEIGHT, "[]", wish))["result"], 16)


def missed(served: Any) -> list[str]:
    return [one.provider for one in served.outcome.missed]


def at(*, by: str, session: str | None = "mine") -> Wish:
    return Wish(provider=by, session=session)


def calls(it: Any, method: str) -> dict[str, int]:
    return {name: provider.calls[method] for name, provider in it.network.providers.items() if provider.calls[method]}


# The tip


async def test_a_sessions_tip_never_goes_back_whoever_answers(autojump_clock: Clock, world: Build) -> None:
    lags = {"a": Faults(), "b": Faults(lag=1), "c": Faults(lag=5, latency=Latency.uniform(0, 900))}
    it = world(lags, strategy=Strategy.LOAD_BALANCED)
    shown = []
    for _ in range(200):
        shown.append(await height(it))
        await trio.sleep(1)
    assert shown == sorted(shown)
    assert shown[-1] > shown[0]
    it.assert_nothing_leaked()


async def test_without_a_session_it_does(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults(lag=1), "c": Faults(lag=5)}, strategy=Strategy.LOAD_BALANCED)
    shown = [await height(it, Wish()) for _ in range(50)]
    assert shown != sorted(shown)
    assert len(it.service.sessions) == 0


async def test_an_answer_below_is_put_aside_and_the_next_is_asked(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    it.service.sessions.get(("default", 1, "mine"), 0.0).told.clear()
    served = await it.serve(HEIGHT, "[]", MINE)
    assert served.outcome.candidate.provider.id == "up"
    assert (served.outcome.retries, served.outcome.behind, served.outcome.missed) == (1, 1, ())
    assert int(json.loads(served.outcome.reply.splice(b"1"))["result"], 16) == top
    assert it.channel("behind").breaker.state(trio.current_time()) is State.CLOSED
    assert it["behind"].tally.failures == 0


async def test_who_failed_before_and_after_an_answer_that_was_put_aside_is_told(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"broken": Faults(failures=[Failure(Kind.HTTP)]), "behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    it.provider("up").plan.set(Faults(failures=[Failure(Kind.HTTP)]))
    it.service.sessions.get(("default", 1, "mine"), 0.0).told.clear()
    served = await it.serve(HEIGHT, "[]", MINE)
    assert int(json.loads(served.outcome.reply.splice(b"1"))["result"], 16) == top
    assert missed(served)[:1] == ["broken"]
    assert "up" in missed(served)
    assert served.outcome.behind == 1


async def test_who_told_less_is_asked_last_for_a_blocks_time(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=300), "up": Faults()})
    await height(it, at(by="up"))
    for _ in range(5):
        await height(it)
    assert calls(it, HEIGHT) == {"up": 6, "behind": 1}
    await trio.sleep(it.routed.heads.block_time.seconds)
    await height(it)
    assert calls(it, HEIGHT) == {"up": 7, "behind": 2}


async def test_who_told_its_prober_less_is_asked_last(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    for name, told in (("behind", top - 3), ("up", top)):
        it[name].head.tell(told, trio.current_time(), 12.0)
    await height(it)
    assert calls(it, HEIGHT) == {"up": 2}


async def test_a_session_is_not_kept_by_a_provider_that_fell_behind(autojump_clock: Clock, world: Build) -> None:
    it = world({"frozen": Faults(frozen=True), "up": Faults()}, strategy=Strategy.LOAD_BALANCED)
    await height(it, at(by="frozen"))
    await trio.sleep(60)
    shown = [await height(it) for _ in range(20)]
    assert shown == sorted(shown)
    assert shown[-1] > 1000


async def test_when_nobody_is_there_yet_the_height_that_was_shown_is_told_again(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    it.network.down.add("up")
    it.provider("up").drop_connections()
    assert await height(it) == top
    await trio.sleep(12 * 4)
    assert await height(it) > top


@pytest.mark.parametrize("params", ['["latest",false]', '[ "latest", true]'])
async def test_the_latest_block_is_held_to_it_too(autojump_clock: Clock, world: Build, params: str) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    it.service.sessions.get(("default", 1, "mine"), 0.0).told.clear()
    block = (await it.ask("eth_getBlockByNumber", params, MINE))["result"]
    assert int(block["number"], 16) == top
    error = (await it.ask("eth_getBlockByNumber", params, at(by="behind")))["error"]
    data = {"reason": "behind_session", "min_block": hex(top)}
    assert error == {"code": -32000, "message": f"No provider has block {top:#x} yet", "data": data}


async def test_a_block_that_is_not_there_yet_may_be_read_by_tags_that_lie_behind(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults()})
    top = await height(it)
    for tag in ("earliest", "finalized"):
        block = (await it.ask("eth_getBlockByNumber", f'["{tag}",false]', MINE))["result"]
        assert int(block["number"], 16) < top


# Everything else that is read


async def test_reads_go_only_to_who_has_what_was_shown(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    await height(it, at(by="up"))
    for _ in range(5):
        await it.ask(*BALANCE, MINE)
    assert calls(it, BALANCE[0]) == {"up": 5}
    await it.ask(*BALANCE)
    assert calls(it, BALANCE[0]) == {"up": 5, "behind": 1}


async def test_a_prober_that_saw_the_block_is_believed(autojump_clock: Clock, world: Build) -> None:
    it = world({"b": Faults(), "a": Faults()})
    top = await height(it, at(by="a"))
    it["b"].head.tell(top, trio.current_time(), 12.0)
    await it.ask(*BALANCE, MINE)
    assert it.asked == {"a": 1, "b": 1}
    await trio.sleep(60)
    await it.ask(*BALANCE, MINE)
    assert calls(it, BALANCE[0]) == {"b": 1, "a": 1}


async def test_when_they_fail_the_others_are_asked_for_their_height_first(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "also": Faults(), "up": Faults()})
    await height(it, at(by="up"))
    it.provider("up").plan.set(Faults(failures=[Failure(Kind.HTTP)]))
    served = await it.serve(*BALANCE, MINE)
    assert served.outcome.candidate.provider.id == "also"
    assert (served.outcome.retries, served.outcome.behind, missed(served)) == (1, 0, ["up"])
    assert calls(it, BALANCE[0]) == {"up": 1, "also": 1}
    assert calls(it, HEIGHT) == {"up": 1, "behind": 1, "also": 1}


async def test_when_nobody_else_will_do_each_failure_is_told_once(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    await height(it, at(by="up"))
    it.provider("up").plan.set(Faults(failures=[Failure(Kind.HTTP)]))
    served = await it.serve(*BALANCE, MINE)
    assert served.outcome.failed
    assert (served.outcome.retries, missed(served)) == (0, ["up"])


async def test_a_provider_that_hangs_leaves_time_for_the_others(autojump_clock: Clock, world: Build) -> None:
    it = world({"up": Faults(), "also": Faults()})
    await height(it)
    it.provider("up").plan.set(Faults(failures=[Failure(Kind.HANG)]))
    served = await it.serve(*BALANCE, MINE)
    assert (served.outcome.failed, served.outcome.candidate.provider.id) == (False, "also")
    it.assert_nothing_leaked()


async def test_when_no_time_is_left_the_last_error_is_told(autojump_clock: Clock, world: Build) -> None:
    it = world({"up": Faults(), "also": Faults()})
    await height(it)
    it["also"].head.tell(1000, trio.current_time(), 12.0)
    for name in ("up", "also"):
        it.provider(name).plan.set(Faults(failures=[Failure(Kind.HANG)]))
    assert (await it.ask(*BALANCE, MINE))["error"]["message"] == "Request timeout"


async def test_asking_for_heights_shows_the_client_nothing(autojump_clock: Clock, world: Build) -> None:
    it = world({"up": Faults(), "also": Faults()})
    top = await height(it, at(by="up"))
    await trio.sleep(12 * 3)
    await it.ask(*BALANCE, at(by="also"))
    session = it.service.sessions.get(("default", 1, "mine"), trio.current_time())
    assert session.shown == top
    assert max(session.told.values())[0] > top


async def test_an_error_that_all_would_tell_is_not_asked_for_twice(autojump_clock: Clock, world: Build) -> None:
    revert = Failure(Kind.RPC, code=3, message="execution reverted")
    it = world(
        {"up": Faults(failures=[Failure(Kind.RPC, methods="eth_call", code=3, message=revert.message)]), "b": Faults()}
    )
    await height(it)
    assert (await it.ask("eth_call", '[{"to":"0x0000000000000000000000000000000000000001"},"latest"]', MINE))["error"]
    assert it.asked == {"up": 2}


async def test_when_nobody_has_the_block_a_read_is_refused(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    error = (await it.ask(*BALANCE, at(by="behind")))["error"]
    assert error["data"] == {"reason": "behind_session", "min_block": hex(top)}
    assert calls(it, BALANCE[0]) == {}


async def test_a_read_at_a_named_block_needs_that_block_and_no_more(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    it["behind"].head.tell(top - 3, trio.current_time(), 12.0)
    for back in (3, 2):
        await it.ask("eth_getBalance", json.dumps([f"0x{1:040x}", hex(top - back)]), MINE)
    assert calls(it, "eth_getBalance") == {"behind": 1, "up": 1}


async def test_a_receipt_shows_its_block(autojump_clock: Clock, world: Build) -> None:
    it = world({"up": Faults(), "behind": Faults(lag=3)})
    block = (await it.ask("eth_getBlockByNumber", '["latest",false]', at(by="up", session=None)))["result"]
    hash_ = json.dumps([block["transactions"][0]])
    assert (await it.ask("eth_getTransactionReceipt", hash_, at(by="up")))["result"]["blockNumber"] == block["number"]
    assert "error" in await it.ask(*BALANCE, at(by="behind"))


async def test_log_queries_are_held_to_it(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up"))
    assert "result" in await it.ask("eth_getLogs", json.dumps([{"fromBlock": hex(top - 5)}]), MINE)
    assert calls(it, "eth_getLogs") == {"up": 1}


async def test_writes_go_where_they_would_have_gone(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    await height(it, at(by="up"))
    await it.ask("eth_sendRawTransaction", '["0x01"]', MINE)
    assert calls(it, "eth_sendRawTransaction") == {"behind": 1}


# Large answers

BLOCKS = ("eth_getBlockByNumber", "eth_getBlockByHash")
IN_PIECES = Faults(failures=[Failure(Kind.DRIP, methods=BLOCKS, bytes_per_s=5000)])


async def test_a_large_block_that_was_asked_for_by_its_number_passes_and_is_remembered(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"up": IN_PIECES, "behind": Faults(lag=3)}, stream_threshold=512)
    top = await height(it, at(by="up", session=None))
    served = await it.serve("eth_getBlockByNumber", f'["{top:#x}",true]', MINE, stream=True)
    assert served.outcome.large is not None
    await served.outcome.large.http.rest.aclose()
    assert await height(it, at(by="behind")) == top
    assert "error" in await it.ask(*BALANCE, at(by="behind"))
    it.assert_nothing_leaked()


async def test_a_large_block_whose_number_is_in_the_answer_alone_is_held_and_read(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"up": IN_PIECES, "behind": Faults(lag=3)}, stream_threshold=512)
    top = await height(it, at(by="up", session=None))
    block = (await it.ask("eth_getBlockByNumber", f'["{top:#x}",false]'))["result"]
    served = await it.serve("eth_getBlockByHash", json.dumps([block["hash"], True]), MINE, stream=True)
    assert served.outcome.large is None
    assert await height(it, at(by="behind")) == top


async def test_other_large_answers_pass_as_without_a_session(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()}, stream_threshold=512)
    served = await it.serve("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x3e8"}]', MINE, stream=True)
    assert served.outcome.large is not None
    await served.outcome.large.http.rest.aclose()


# A floor that the client names


async def test_the_block_that_a_client_names_is_a_floor_too(autojump_clock: Clock, world: Build) -> None:
    it = world({"behind": Faults(lag=3), "up": Faults()})
    top = await height(it, at(by="up", session=None))
    for _ in range(3):
        await it.ask(*BALANCE, Wish(min_block=top))
    assert calls(it, BALANCE[0]) == {"up": 3}
    assert await height(it, Wish(min_block=top)) == top
    assert len(it.service.sessions) == 0


async def test_what_a_client_merely_claims_is_not_told_as_the_chains_height(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    for wish in (Wish(min_block=10**6), Wish(session="mine", min_block=10**6)):
        for method, params in ((HEIGHT, "[]"), BALANCE):
            assert (await it.ask(method, params, wish))["error"]["data"]["min_block"] == hex(10**6)
    assert await height(it) == 1000


# Liars and dead ends


async def test_a_height_that_cannot_be_is_not_remembered(autojump_clock: Clock, world: Build) -> None:
    it = world({"liar": Faults(), "b": Faults(lag=0)})
    now = trio.current_time()
    for name in ("liar", "b"):
        it[name].head.tell(900, now, 12.0)
    it.service.sessions.get(("default", 1, "mine"), now)
    assert await height(it, at(by="liar")) == 1000
    assert it.service.sessions.get(("default", 1, "mine"), now).shown == 0


async def test_a_session_changes_nothing_when_nobody_can_be_asked(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    assert (await it.ask("eth_coinbase", "[]", MINE))["error"]["message"] == "No channels available"
    nobody = Wish(session="mine", transport=Transport.WS)
    assert (await it.ask(HEIGHT, "[]", nobody))["error"]["message"] == "No channels available"
    it.network.down.add("a")
    first = await it.ask(HEIGHT, "[]", MINE)
    assert first["error"]["message"] == "Upstream connection failed"
    assert "result" in await it.ask("eth_chainId", "[]", MINE)


async def test_one_deadline_holds_for_all_that_is_asked(autojump_clock: Clock, world: Build) -> None:
    slow = Faults(latency=Latency.constant(60_000))
    it = world({"up": Faults(), "b": slow, "c": slow})
    await height(it, at(by="up"))
    it.network.down.add("up")
    it.provider("up").drop_connections()
    started = trio.current_time()
    assert "error" in await it.ask(*BALANCE, MINE)
    assert trio.current_time() - started <= 2.1
    it.assert_nothing_leaked()

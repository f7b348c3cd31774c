from __future__ import annotations

import attrs
import pytest

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Devnet, Failure, Faults, Kind
from lasso_trio.probe import steps
from lasso_trio.probe.finding import Finding
from lasso_trio.probe.proposal import propose
from lasso_trio.probe.run import Check, Order, probe
from lasso_trio.probe.target import Target, url_target
from tests.probe.conftest import HEIGHT, QUICK, chain

ORDER = Order(manners=QUICK)


def only(*checks: Check) -> Order:
    return attrs.evolve(ORDER, checks=frozenset(checks))


async def test_a_fleet_is_told_apart() -> None:
    faults = {
        "good": Faults(log_range=50_000),
        "pruned": Faults(state_depth=128, log_range=100, missing_methods=("eth_getProof",)),
        "late": Faults(lag=7, ws_refuse_status=403),
    }
    async with Devnet.open(faults, chain=chain(0.4)) as net:
        targets = [url_target(net.url(name)) for name in faults]
        good, pruned, late = await probe(targets, ORDER)
        sent = {name: net.providers[name].requests for name in faults}
    assert good.ok
    assert (good.chain_id, good.client) == (31337, "lasso-devnet/1.0")
    assert good.archive is not None
    assert good.archive.open
    assert good.log_range is not None
    assert good.log_range.open
    assert good.websocket is not None
    assert good.websocket.first_head_s is not None
    assert pruned.archive is not None
    assert pruned.archive.limit in range(100, 140)
    assert pruned.log_range is not None
    assert (pruned.log_range.limit, pruned.log_range.exact) == (100, True)
    assert "eth_getProof" in pruned.to_json()["unsupported_methods"]
    assert late.lag in range(4, 12)  # heights are read one after the other, and blocks go on
    assert late.websocket is not None
    assert late.websocket.problem == "refused: HTTP 403"
    # The counter is what the endpoints saw, and one upgrade each.
    assert [good.spent.requests, pruned.spent.requests] == [sent["good"] + 1, sent["pruned"] + 1]
    assert late.spent.requests == sent["late"] + 1


async def test_another_chain_than_the_profile_says_is_found() -> None:
    async with Devnet.open({"one": Faults(chain_id=5)}, chain=chain()) as net:
        target = Target("one", "demo", 31337, SecretUrl(net.url("one")))
        (found,) = await probe([target], only(Check.HEAD))
    assert found.wrong_chain
    assert not found.ok
    assert "No endpoint answered" in propose([(target, found)])


async def test_who_does_not_answer_fails_and_the_others_do_not() -> None:
    async with Devnet.open({"up": Faults(), "down": Faults()}, chain=chain()) as net:
        await net.kill("down")
        targets = [url_target(net.url(name)) for name in ("down", "up")]
        down, up = await probe(targets, only(Check.LATENCY))
    assert down.problem
    assert down.spent.requests == 1
    assert up.ok
    assert up.latency is not None


async def test_who_answers_nonsense_is_asked_nothing_more() -> None:
    async with Devnet.open({"one": Faults(failures=(Failure(Kind.GARBAGE),))}, chain=chain()) as net:
        (found,) = await probe(
            [url_target(net.url("one"))], attrs.evolve(ORDER, manners=attrs.evolve(QUICK, timeout_s=0.2))
        )
        assert net.providers["one"].calls["eth_blockNumber"] == 0
    assert found.problem.startswith("no JSON-RPC answer")


async def test_only_what_is_ordered_is_asked() -> None:
    async with Devnet.open({"one": Faults()}, chain=chain()) as net:
        await probe([url_target(net.url("one"))], only(Check.BATCH))
        assert set(net.providers["one"].calls) == {"eth_chainId", "web3_clientVersion"}
        assert net.providers["one"].requests == 5


async def test_an_endpoint_with_a_websocket_alone_is_asked_there_whatever_is_ordered() -> None:
    async with Devnet.open({"one": Faults()}, chain=chain(0.05)) as net:
        up, down = await probe([url_target(net.ws_url("one")), url_target("ws://127.0.0.1:1")], only(Check.LOGS))
    assert (up.ok, up.chain_id) == (True, 31337)
    assert (down.ok, bool(down.problem)) == (False, True)


async def test_lag_is_none_where_heads_were_not_asked_for() -> None:
    async with Devnet.open({"one": Faults()}, chain=chain()) as net:
        (found,) = await probe([url_target(net.url("one"))], only(Check.LOGS))
    assert found.lag is None
    assert found.head is not None
    assert found.head.number == HEIGHT


async def test_the_full_level_also_looks_for_limits_on_results() -> None:
    refusal = Failure(Kind.RPC, methods=("eth_getLogs",), code=-32005, message="query returned more than 777 results")
    async with Devnet.open({"one": Faults()}, chain=chain()) as net:
        order = attrs.evolve(only(Check.LOGS), level="full")
        (without,) = await probe([url_target(net.url("one"))], order)
        net.set_faults("one", Faults(failures=(refusal,)))
        (found,) = await probe([url_target(net.url("one"))], order)
    assert without.learned == {}
    assert found.learned == {"results": 777}


async def test_progress_never_passes_what_was_announced() -> None:
    told: list[tuple[int, int, str]] = []
    async with Devnet.open({"one": Faults()}, chain=chain(0.05)) as net:
        await probe([url_target(net.url("one"))], ORDER, lambda *step: told.append(step))
    assert sum(steps_ for _, steps_, what in told if what) <= ORDER.steps
    assert told[-1] == (0, 1, "")


async def test_a_mistake_of_ours_fails_one_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(steps, "batch_size", broken)
    async with Devnet.open({"one": Faults()}, chain=chain()) as net:
        found: tuple[Finding, ...] = await probe([url_target(net.url("one"))], only(Check.BATCH))
    assert found[0].problem == "the probe itself failed: KeyError('ours')"

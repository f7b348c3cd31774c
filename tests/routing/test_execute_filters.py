from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing import filter_ids
from lasso_trio.routing.service import ANYTHING, Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock
NOT_FOUND = {"code": -32000, "message": "filter not found"}
CREATING = [("eth_newFilter", '[{"fromBlock":"latest"}]'), ("eth_newBlockFilter", "[]")]
CREATING += [("eth_newPendingTransactionFilter", "[]")]


async def made(it: Any, by: str = "a", method: str = "eth_newBlockFilter", params: str = "[]") -> str:
    """The id of a new filter made by one provider."""
    id_ = (await it.ask(method, params, Wish(provider=by)))["result"]
    assert isinstance(id_, str)
    return id_


async def changes(it: Any, id_: str, wish: Wish = ANYTHING) -> Any:
    return await it.ask("eth_getFilterChanges", json.dumps([id_]), wish)


def followed(it: Any, method: str = "eth_getFilterChanges") -> dict[str, int]:
    return {name: provider.calls[method] for name, provider in it.network.providers.items() if provider.calls[method]}


@pytest.mark.parametrize(("method", "params"), CREATING)
async def test_a_filter_is_polled_where_it_was_made(
    autojump_clock: Clock, world: Build, method: str, params: str
) -> None:
    it = world({"a": Faults(), "b": Faults(), "c": Faults()}, strategy=Strategy.LOAD_BALANCED)
    ids = {by: await made(it, by, method, params) for by in ("a", "b", "c")}
    assert len(set(ids.values())) == 3  # a node counts its filters from one
    for _ in range(5):
        for id_ in ids.values():
            assert isinstance((await changes(it, id_))["result"], list)
    assert followed(it) == {"a": 5, "b": 5, "c": 5}


async def test_the_node_reads_its_own_id_and_the_client_what_the_node_says(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_ = await made(it, "b", "eth_newFilter", '[{"fromBlock":"0x3e0","toBlock":"0x3e8"}]')
    logs = (await it.ask("eth_getFilterLogs", json.dumps([id_])))["result"]
    assert logs == (await it.ask("eth_getLogs", '[{"fromBlock":"0x3e0","toBlock":"0x3e8"}]'))["result"]
    upstream = filter_ids.read(id_).upstream.decode()
    assert it.provider("b").recent[-1].params == [json.loads(upstream)]
    assert (await it.ask("eth_uninstallFilter", json.dumps([id_])))["result"] is True
    assert (await changes(it, id_))["error"]["message"] == NOT_FOUND["message"]
    assert followed(it) == {"b": 1}
    it.assert_nothing_leaked()


async def test_new_blocks_are_told(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_ = await made(it, "b")
    await trio.sleep(60)
    assert len((await changes(it, id_))["result"]) >= 2


@pytest.mark.parametrize("id_", ["0x1", "0x", "", "mine"])
async def test_an_id_that_is_none_of_ours_reaches_nobody(autojump_clock: Clock, world: Build, id_: str) -> None:
    it = world({"a": Faults()})
    assert (await changes(it, id_))["error"] == NOT_FOUND
    assert (await it.ask("eth_getFilterLogs", json.dumps([id_])))["error"] == NOT_FOUND
    assert (await it.ask("eth_uninstallFilter", json.dumps([id_])))["result"] is False
    assert it.asked == {}


@pytest.mark.parametrize("params", ["[]", "[1]", "[null]", '[{"id":"0x1"}]'])
async def test_what_is_no_id_at_all_is_the_clients_mistake(autojump_clock: Clock, world: Build, params: str) -> None:
    it = world({"a": Faults()})
    assert (await it.ask("eth_getFilterChanges", params))["error"]["code"] == -32602
    assert it.asked == {}


async def test_an_id_of_another_profile_or_chain_leads_nowhere(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    channel = it.channel("a")
    for profile, chain_id, instance in (("team", 1, channel.instance_id), ("default", 5, channel.instance_id)):
        foreign = filter_ids.wrap(filter_ids.tag_of(profile, chain_id, instance), b'"0x1"')
        assert (await changes(it, foreign))["error"] == NOT_FOUND
    assert it.asked == {}


async def test_ids_that_also_named_a_transport_still_lead_to_their_node(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    upstream = filter_ids.read(await made(it, "b")).upstream
    for transport in ("http", "ws"):
        tag = filter_ids.former_tag_of("default", 1, it.channel("b").instance_id, transport)
        assert (await changes(it, filter_ids.wrap(tag, upstream)))["result"] == []
    assert followed(it) == {"b": 2}


async def test_a_filter_of_a_provider_that_was_removed_is_lost(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_ = await made(it, "a")
    it.routed.candidates = tuple(c for c in it.routed.candidates if c.provider.id != "a")
    it.routed.registry.version.bump()
    assert (await changes(it, id_))["error"] == NOT_FOUND


async def test_a_filter_behind_an_open_breaker_is_lost_until_it_closes(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_, a = await made(it, "a"), it.channel("a")
    for _ in range(20):
        if a.admit(trio.current_time()):
            a.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.0, trio.current_time())
    assert (await changes(it, id_))["error"] == NOT_FOUND
    assert followed(it) == {}


async def test_a_client_that_wants_another_provider_does_not_get_the_filters_of_this_one(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_ = await made(it, "a")
    assert (await changes(it, id_, Wish(provider="b")))["error"] == NOT_FOUND
    assert (await changes(it, id_, Wish(transport=Transport.WS)))["error"] == NOT_FOUND
    assert (await changes(it, id_, Wish(provider="a", transport=Transport.HTTP)))["result"] == []


async def test_a_provider_that_lags_keeps_its_filters(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults(), "c": Faults()})
    selection = attrs.evolve(it.routed.chain.selection, max_lag_blocks=2)
    it.routed.chain = attrs.evolve(it.routed.chain, selection=selection)
    id_ = await made(it, "a")
    for name, height in (("a", 900), ("b", 1000), ("c", 1000)):
        it[name].head.tell(height, trio.current_time(), 12.0)
    it.routed.registry.version.bump()
    plan = (await it.serve("eth_getFilterChanges", json.dumps([id_]))).plan
    assert "a:http" not in plan.labels
    assert followed(it) == {"a": 1}


async def test_making_a_filter_moves_on_only_if_nobody_can_have_made_it(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults(failures=[Failure(Kind.RESET)]), "c": Faults()})
    it.network.down.add("a")
    error = (await it.ask("eth_newBlockFilter"))["error"]
    assert error["message"] == "Upstream dispatch outcome is indeterminate"
    assert (it.provider("b").calls.total(), it.provider("c").calls.total()) == (1, 0)
    it.network.down.add("b")
    await changes(it, (await it.ask("eth_newBlockFilter"))["result"])
    assert followed(it) == {"c": 1}


@pytest.mark.parametrize("kind", [Kind.HTTP, Kind.HANG, Kind.GARBAGE, Kind.WRONG_ID, Kind.RESET, Kind.TRUNCATED])
async def test_polling_is_dispatched_once_because_it_takes_what_it_reads(
    autojump_clock: Clock, world: Build, kind: Kind
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    id_ = await made(it, "a")
    it.provider("a").plan.set(Faults(failures=[Failure(kind)]))
    assert (await changes(it, id_))["error"]["message"] == "Upstream dispatch outcome is indeterminate"
    assert followed(it) == {"a": 1}


async def test_a_refusal_to_make_one_comes_as_it_is(autojump_clock: Clock, world: Build) -> None:
    refusal = Failure(Kind.RPC, code=-32000, message="execution reverted")
    it = world({"a": Faults(failures=[refusal])})
    assert (await it.ask("eth_newBlockFilter"))["error"] == {"code": -32000, "message": "execution reverted"}

"""A whole node whose providers are reached over WebSockets: calls, the APIs, reloads, the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from lasso_trio.app import App
from lasso_trio.config.identity import instance_id
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.devnet import Devnet, Failure, Faults, Kind, Latency
from lasso_trio.server.channel_view import channel_row
from lasso_trio.supervision import ChildState

from .conftest import CHAIN_ID, Surface


def of(net: Devnet, name: str, *, http: bool = True, key: str = "") -> Provider:
    url = SecretUrl(net.url(name)) if http else None
    ws_url = SecretUrl(net.ws_url(name) + key)
    return Provider(name, name, instance_id(CHAIN_ID, url, ws_url, {}), url, ws_url)


def profiles(*providers: Provider) -> ProfileSet:
    return ProfileSet.of([Profile("public", "Public", (Chain("devnet", CHAIN_ID, "Devnet", providers),))])


async def soon(so: Callable[[], bool]) -> None:
    """Return when it is so, which must not take long."""
    for _ in range(1000):
        if so():
            return
        await trio.sleep(0.01)
    raise AssertionError("it did not come to that")


@attrs.define(eq=False)
class World:
    """Started by `begin`; its node listens."""

    nursery: trio.Nursery
    net: Devnet
    surface: Surface

    @classmethod
    async def begin(cls, nursery: trio.Nursery, http: bool, faults: Mapping[str, Faults]) -> World:
        net = Devnet.make(faults)
        await nursery.start(net.run)
        app = App.make(Settings(port=0, grace_s=1.0), profiles(*(of(net, name, http=http) for name in faults)))
        await nursery.start(app.run)
        host, _, port = app.addresses[0].removeprefix("http://").rpartition(":")
        world = cls(nursery, net, Surface(app, net, host, int(port)))
        await world.connected()
        return world

    async def connected(self) -> None:
        await soon(lambda: all(keeper.counters.subscribed and keeper.connected for keeper in self.surface.app.keepers))

    async def ask(self, method: str = "eth_gasPrice", path: str = "/rpc/devnet") -> dict[str, Any]:
        answer: dict[str, Any] = (await self.surface.ask(method, path=path)).json
        return answer

    async def stop(self) -> None:
        self.surface.app.stop()
        with trio.fail_after(10):
            await self.surface.app.stopped.wait()


async def test_providers_without_http_serve_http_clients(nursery: trio.Nursery) -> None:
    world = await World.begin(nursery, False, {"alpha": Faults(), "beta": Faults()})
    for _ in range(4):
        assert (await world.ask())["result"]
    assert (await world.ask("eth_blockNumber", "/rpc/devnet?transport=ws"))["result"]
    assert "error" in await world.ask(path="/rpc/devnet?transport=http")
    assert sum(world.surface.calls("eth_gasPrice").values()) == 4
    await world.stop()


async def test_the_apis_show_channels_that_are_live_and_heads_that_were_told(nursery: trio.Nursery) -> None:
    world = await World.begin(nursery, True, {"alpha": Faults()})
    assert (await world.ask(path="/rpc/devnet?transport=ws"))["result"]
    (shown,) = (await world.surface.get("/api/metrics/devnet")).json["providers"]
    assert [(row["transport"], row["live"]) for row in shown["channels"]] == [("http", True), ("ws", True)]
    (instance,) = world.surface.app.registry.instances.values()
    world.net.advance(5)
    await soon(lambda: (instance.head.height or 0) >= 1005)
    await world.stop()
    now = trio.current_time()
    assert [channel_row(channel, now)["live"] for channel in instance.channels.values()] == [True, False]


async def test_a_refused_and_a_wrong_socket_leave_http_alone(nursery: trio.Nursery) -> None:
    net = Devnet.make({"alpha": Faults(ws_refuse_status=503), "liar": Faults(chain_id=1)})
    await nursery.start(net.run)
    alpha, liar = of(net, "alpha"), of(net, "liar")
    mixed = attrs.evolve(alpha, id="mixed", ws_url=liar.ws_url, instance_id="mixed")
    app = App.make(Settings(port=0, grace_s=1.0, listen=False), profiles(alpha, mixed))
    await nursery.start(app.run)
    with trio.fail_after(10):
        for keeper in app.keepers:
            await keeper.settled.wait()
    (chain,) = app.directory.chains()
    assert {candidate.label: candidate.channel.live for candidate in chain.candidates} == {
        "alpha:http": True,
        "alpha:ws": False,
        "mixed:http": True,
        "mixed:ws": False,
    }
    quarantined = {c.label for c in chain.candidates if c.channel.breaker.quarantined}
    assert quarantined == {"mixed:ws"}
    app.stop()
    await app.stopped.wait()


async def test_a_reload_keeps_what_stays_opens_what_is_new_and_lets_the_gone_finish(nursery: trio.Nursery) -> None:
    slow = Faults(latency=Latency.constant(300))
    world = await World.begin(nursery, False, {"alpha": Faults(), "beta": slow})
    app, net = world.surface.app, world.net
    stays, goes = app.keepers
    fresh = attrs.evolve(of(net, "alpha", http=False, key="/new"), id="gamma")
    app.reloading.load = lambda: profiles(of(net, "alpha", http=False), fresh)
    answers: list[dict[str, Any]] = []

    async def call() -> None:
        answers.append(await world.ask(path="/rpc/provider/beta/devnet"))

    async with trio.open_nursery() as calls:
        calls.start_soon(call)
        await soon(lambda: goes.channel.in_flight > 0)
        assert (await app.reload("test")).accepted
    assert "result" in answers[0], answers
    await world.connected()
    assert stays in app.keepers
    assert goes not in app.keepers
    assert stays.sessions == 1
    await soon(lambda: not goes.connected)
    names = {child.name for child in app.supervisor.children if child.state is ChildState.RUNNING}
    assert {f"keeper {keeper.instance_id}" for keeper in app.keepers} <= names
    await world.stop()


async def test_the_end_unsubscribes_closes_and_leaves_nothing(nursery: trio.Nursery) -> None:
    hanging = Faults(failures=(Failure(Kind.HANG, methods=("eth_gasPrice",)),))
    world = await World.begin(nursery, True, {"alpha": hanging, "beta": Faults()})
    await world.stop()
    await soon(lambda: not any(provider.open_websockets for provider in world.net.providers.values()))
    subscribed = world.surface.calls("eth_subscribe")
    assert subscribed == {"alpha": 1, "beta": 1}
    assert world.surface.calls("eth_unsubscribe") == subscribed
    assert not any(keeper.connected for keeper in world.surface.app.keepers)

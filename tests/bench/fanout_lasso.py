"""A node's door with its WebSocket lane, and one stream that is published to on command. `python fanout_lasso.py`.

Prints its port, then obeys lines on standard input (see `fanout_orders`). What is not ours is left out: no upstream
feeds the stream, so the figures are those of the clients' side.
"""

from __future__ import annotations

import gc
import sys

import attrs
import trio
from fanout_orders import Orders, payload

from lasso_trio import descriptors
from lasso_trio.app import untold
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Service
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import open_listeners
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.subscriptions.fanout import Fanout, Member
from lasso_trio.subscriptions.slices import Slices
from lasso_trio.telemetry.loop import settle_memory
from lasso_trio.upstream.http1 import Pool


@attrs.define(eq=False)
class Subscription:
    fanout: Fanout
    member: Member
    id: str

    def start(self) -> None:
        self.fanout.activate(self.member, self.id)

    def close(self) -> None:
        self.fanout.leave(self.member, self.id)


@attrs.define(eq=False)
class OneStream:
    """A hub with nothing but new heads, live at all times."""

    fanout: Fanout

    async def subscribe(self, chain: RoutedChain, params: bytes, member: Member) -> Subscription:
        await trio.lowlevel.checkpoint()
        return Subscription(self.fanout, member, self.fanout.reserve(member))


def make_directory() -> Directory:
    provider = Provider("nobody", "Nobody", "1:nobody:0", SecretUrl("http://127.0.0.1:9"))
    profile = Profile(
        "public", "Public", (Chain("bench", 1, "Bench", (provider,)),), rps_limit=10**6, burst_limit=10**6
    )
    return Directory.of(ProfileSet.of([profile]), Registry(Pool))


async def no_other_lane(stream: ReplayStream, peer: Peer) -> None:
    await stream.aclose()


async def main() -> None:
    slices, limits, budget = Slices(), LaneLimits(), ByteBudget()
    fanout = Fanout("heads", slices=slices)
    handler = RpcHandler(make_directory(), Service(), Settings(), untold)
    lane = WsLane.of(handler, limits, budget, OneStream(fanout))
    door = FrontDoor(handler, no_other_lane, limits=limits, budget=budget, websockets=lane.serve)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slices.run)
        nursery.start_soon(lane.run)
        listeners = await open_listeners("127.0.0.1", 0)
        await nursery.start(door.serve, listeners)
        settle_memory()
        print(listeners[0].port, flush=True)
        await obey(fanout)
        nursery.cancel_scope.cancel()


async def obey(fanout: Fanout) -> None:
    orders = Orders(lambda: fanout.members)
    while (order := await trio.to_thread.run_sync(sys.stdin.readline)).strip():
        if order.startswith("publish"):
            orders.note_publish()
            fanout.publish(payload(int(order.split()[1])))
        elif order.startswith("settle"):
            gc.collect()
        orders.report()


if __name__ == "__main__":
    descriptors.raise_limit()
    trio.run(main)

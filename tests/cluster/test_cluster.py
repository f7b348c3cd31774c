"""Clusters in virtual time: nodes whose lines are a dictionary, and a DNS that is a set."""

from __future__ import annotations

from random import Random

import attrs
import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.cluster import FRESH_S, Cluster, fresh_s, wall_clock
from lasso_trio.cluster.discovery import DnsFault
from lasso_trio.cluster.lifecycle import CHECK_S, Sign, State
from lasso_trio.cluster.lines import Failure
from lasso_trio.cluster.seal import Seal
from lasso_trio.cluster.snapshot import Snapshot
from lasso_trio.cluster.talk import Identity, Refused
from lasso_trio.config.cluster_terms import ClusterTerms
from lasso_trio.config.secret import Secret
from lasso_trio.telemetry.node import Node
from tests.cluster.shares import snapshot
from tests.cluster.test_share import directory


@attrs.define(eq=False)
class World:
    """`names`: what DNS says; None: it fails. Nodes in `dead` refuse, nodes in `mute` say nothing."""

    nursery: trio.Nursery
    names: set[Address] | None = attrs.field(factory=set)
    nodes: dict[Address, Cluster] = attrs.field(factory=dict)
    dead: set[Address] = attrs.field(factory=set)
    mute: set[Address] = attrs.field(factory=set)
    exchanges: int = 0
    frames: dict[Address, bytes] = attrs.field(factory=dict)
    """The last question to each."""
    made: int = 0

    async def look(self) -> set[Address]:
        await trio.sleep(0.01)
        if self.names is None:
            raise DnsFault("no answer in time")
        return set(self.names)

    # lines, for every node

    async def ask(self, address: Address, frame: bytes, until: float) -> bytes:
        self.exchanges += 1
        self.frames[address] = frame
        await trio.sleep(0.01)
        if address in self.dead or address not in self.nodes:
            raise Failure("refused", Sign.GONE)
        if address in self.mute:
            await trio.sleep_until(until)
            raise Failure("deadline", Sign.SILENT)
        try:
            return await self.nodes[address].answer(frame, "10.0.0.1")
        except Refused as refused:
            raise Failure(refused.kind, Sign.THERE) from refused

    async def drop(self, _: Address) -> None:
        await trio.lowlevel.checkpoint()

    def expire(self) -> None: ...

    def close(self) -> None: ...

    # in here

    def node(
        self, number: int, node_id: str = "", *, secret: str = "s", uid: str = "", tell: Snapshot | None = None
    ) -> Cluster:
        """A node at address `number`; not running."""

        async def own(sequence: int) -> Snapshot:
            self.made += 1
            await trio.lowlevel.checkpoint()
            return tell or snapshot({"a": [0.1] * 10}, calls=10, sequence=sequence)

        me = Identity("lasso", node_id or f"n{number}", uid or f"u{number}")
        made = Cluster(me, "lasso.internal", Seal(Secret(secret)), self.look, self, own, trio.current_time)
        made.rng = Random(number)
        self.nodes[at(number)] = made
        if self.names is not None:
            self.names.add(at(number))
        return made

    def start(self, *clusters: Cluster) -> None:
        for cluster in clusters:
            self.nursery.start_soon(cluster.run)

    def run(self, number: int) -> list[Cluster]:
        made = [self.node(n) for n in range(number)]
        self.start(*made)
        return made


def at(number: int) -> Address:
    return Address(f"10.0.{number // 250}.{number % 250 + 1}", 4000)


@pytest.fixture
def world(nursery: trio.Nursery) -> World:
    return World(nursery)


def counts(cluster: Cluster) -> tuple[int, int]:
    coverage = cluster.membership.coverage()
    return coverage.responding, coverage.total


async def test_three_nodes_find_each_other_and_themselves(autojump_clock: object, world: World) -> None:
    one, *others = world.run(3)
    await trio.sleep(1)
    assert {counts(each) for each in [one, *others]} == {(3, 3)}
    assert one.membership.own == {at(0)}
    assert one.health()["status"] == "healthy"
    asked = world.exchanges
    await trio.sleep(2 * CHECK_S)
    assert world.exchanges - asked <= 3 * 2 * 3  # and do not ask themselves again


async def test_a_dead_node_is_known_within_twenty_seconds_and_back_within_ten(
    autojump_clock: object, world: World
) -> None:
    one, two, three = world.run(3)
    await trio.sleep(7)
    world.dead.add(at(2))
    await trio.sleep(20)
    assert one.membership.coverage().disconnected == two.membership.coverage().disconnected == ("n2",)
    assert one.health()["status"] == "degraded"
    world.dead.clear()
    await trio.sleep(10)
    assert {counts(each) for each in (one, two, three)} == {(3, 3)}


async def test_a_death_is_known_as_soon_when_most_others_are_mute(
    autojump_clock: object, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lasso_trio.cluster.cluster.AT_ONCE", 2)
    one, *_ = [world.node(n) for n in range(16)]
    world.start(one)
    await trio.sleep(60)
    world.mute.update(at(n) for n in range(1, 13))
    await trio.sleep(120)
    world.dead.add(at(15))
    await trio.sleep(20)
    assert one.membership.peers[at(15)].state is State.DISCONNECTED


async def test_a_mute_node_is_unresponsive_then_disconnected(autojump_clock: object, world: World) -> None:
    one, _ = world.run(2)
    await trio.sleep(5)
    world.mute.add(at(1))
    await trio.sleep(40)
    peer = one.membership.peers[at(1)]
    assert peer.state is State.UNRESPONSIVE
    await trio.sleep(90)
    assert peer.state is State.DISCONNECTED


async def test_dns_that_fails_for_an_hour_costs_nobody_and_is_told_once(autojump_clock: object, world: World) -> None:
    with capture_logs() as logs:
        one, _ = world.run(2)
        await trio.sleep(5)
        world.names = None
        await trio.sleep(3600)
        assert counts(one) == (2, 2)
        assert one.health()["problems"] == ["dns"]
        world.names = {at(0), at(1)}
        await trio.sleep(6)
    assert one.health()["problems"] == []
    events = [entry["event"] for entry in logs]
    assert (events.count("cluster.dns_failed"), events.count("cluster.dns_answers_again")) == (2, 2)


async def test_another_secret_is_reported_on_both_sides_and_routes_nothing(
    autojump_clock: object, world: World
) -> None:
    one, odd = world.node(0), world.node(1, secret="t")
    world.start(one, odd)
    await trio.sleep(10)
    for each in (one, odd):
        assert each.health()["problems"] == ["secret"]
        assert counts(each) == (1, 2)
    assert {trouble.about for trouble in one.membership.troubles()} == {"10.0.0.2:4000", "10.0.0.1"}


async def test_an_answer_that_is_not_signed_counts_as_none(
    autojump_clock: object, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def noise(*_: object) -> bytes:
        await trio.lowlevel.checkpoint()
        return b"noise"

    one, _ = world.run(2)
    monkeypatch.setattr(World, "ask", noise)
    await trio.sleep(5)
    assert counts(one) == (1, 3)  # itself is a stranger too, as long as nobody answers
    assert one.health()["problems"] == ["secret"]


async def test_one_id_for_two_nodes_is_reported_by_everybody(autojump_clock: object, world: World) -> None:
    made = [world.node(0, "us-1"), world.node(1, "us-1"), world.node(2, "eu-1")]
    world.start(*made)
    await trio.sleep(5)
    assert [each.health()["problems"] for each in made] == [["duplicate_id"]] * 3


async def test_a_new_node_is_looked_for_as_soon_as_it_asks(autojump_clock: object, world: World) -> None:
    (one,) = world.run(1)
    await trio.sleep(1.5)
    late = world.node(1)
    world.start(late)
    await trio.sleep(1.2)  # DNS is due in more than two
    assert counts(one) == (2, 2)


async def test_who_is_forgotten_is_asked_no_more(autojump_clock: object, world: World) -> None:
    (one,) = world.run(1)
    assert world.names is not None
    world.names.add(at(9))
    await trio.sleep(10)
    world.names.discard(at(9))
    await trio.sleep(10)
    asked = world.exchanges
    await trio.sleep(120)
    assert (world.exchanges, counts(one)) == (asked, (1, 1))


async def test_a_crash_of_its_tasks_loses_nothing_that_was_known(autojump_clock: object, world: World) -> None:
    one, _ = world.run(2)
    await trio.sleep(5)
    with trio.CancelScope() as life:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.run)
            await trio.sleep(1)
            life.cancel()
    world.start(one)
    await trio.sleep(20)
    assert counts(one) == (2, 2)


async def test_our_own_shortage_changes_no_state(
    autojump_clock: object, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = world.run(2)
    await trio.sleep(2)

    async def exhausted(*_: object) -> bytes:
        await trio.lowlevel.checkpoint()
        raise Failure("no_descriptors", None)

    monkeypatch.setattr(World, "ask", exhausted)
    await trio.sleep(100)
    assert counts(one) == (2, 2)


async def test_one_snapshot_serves_all_who_ask_within_five_seconds(autojump_clock: object, world: World) -> None:
    one = world.node(0)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one.own)
    assert world.made == 1
    await trio.sleep(5)
    snapshot, _ = await one.own()
    assert (world.made, snapshot.sequence) == (2, 2)


def test_what_is_costly_is_made_less_often_and_nothing_is_older_than_a_period() -> None:
    assert fresh_s(0.0) == FRESH_S
    assert FRESH_S < fresh_s(0.04) < CHECK_S
    assert fresh_s(2.0) == CHECK_S


async def test_a_question_that_was_seen_before_is_not_answered(autojump_clock: object, world: World) -> None:
    one, _ = world.run(2)
    await trio.sleep(3)
    with pytest.raises(Refused) as caught:
        await one.answer(world.frames[at(0)], "10.0.0.9")
    assert caught.value.kind == "replay"


async def test_pictures_are_of_all_who_respond_or_of_one_node_or_region(autojump_clock: object, world: World) -> None:
    one, two, three = world.node(0, "us-1"), world.node(1, "eu-1"), world.node(2, "eu-2")
    world.start(one, two, three)
    await trio.sleep(2)

    async def calls(**wanted: str) -> int:
        row = await one.picture(Picture("public", "ethereum"), **wanted)
        return sum(chain["total_calls"] for chain in row["chains"])

    assert [await calls(), await calls(node="eu-1"), await calls(region="eu"), await calls(region="us")] == [
        30,
        10,
        20,
        10,
    ]
    world.dead.add(at(2))
    await trio.sleep(20)
    assert await calls() == 20
    assert (await one.overview())["coverage"]["text"] == "2 of 3"


async def test_a_picture_is_drawn_once_for_all_who_look_within_five_seconds(
    autojump_clock: object, world: World
) -> None:
    one = world.node(0)
    first = await one.picture(Picture("public", "ethereum"))
    assert await one.picture(Picture("public", "ethereum")) is first
    assert await one.picture(Picture("public", "ethereum", "a")) is not first
    await trio.sleep(5)
    assert await one.picture(Picture("public", "ethereum")) is not first
    assert len(one._pictures) == 1


async def test_a_hundred_nodes_know_everything_of_each_other_within_three_exchanges(
    autojump_clock: object, world: World
) -> None:
    methods = snapshot({f"p{n}": [0.05, 0.1, 0.2] for n in range(5)}, calls=15)
    made = [world.node(n, tell=methods) for n in range(100)]
    with capture_logs():
        world.start(*made)
        await trio.sleep(CHECK_S * 0.8)  # nobody is asked a second time before that
    assert {counts(each) for each in made} == {(100, 100)}
    assert world.exchanges <= 3 * 100 * 100
    row = await made[42].picture(Picture("public", "ethereum"))
    (chain,) = row["chains"]
    assert (row["nodes_counted"], chain["total_calls"]) == (100, 1500)
    assert [len(provider["by_node"]) for provider in chain["providers"]] == [100] * 5


async def test_the_parts_are_joined_as_settings_say() -> None:
    terms = ClusterTerms("lasso.internal", "lasso", None, ("127.0.0.1", 5353))
    made = Cluster.of(terms, Secret("s" * 64), 4000, Node("us-1", trio.current_time()), directory)
    assert (made.me.cluster, made.me.node_id, len(made.me.uid)) == ("lasso", "us-1", 16)
    told, body = await made.own()
    assert (told.sequence, told.chains[0].chain, len(body.digest)) == (1, "ethereum", 32)
    assert wall_clock() > 1_700_000_000


async def test_a_picture_is_drawn_anew_when_somebody_has_gone(autojump_clock: object, world: World) -> None:
    one, _ = world.run(2)
    await trio.sleep(2)
    assert (await one.picture(Picture("public", "ethereum")))["nodes_counted"] == 2
    one.membership.forget(one.membership.peers[at(1)])
    assert (await one.picture(Picture("public", "ethereum")))["nodes_counted"] == 1

"""Workers of one node among other nodes: one of them speaks for all."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.cluster import Cluster
from lasso_trio.cluster.desk import Silent
from lasso_trio.cluster.snapshot import BadSnapshot
from lasso_trio.cluster.talk import Refused
from lasso_trio.workers import cluster_share
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.cluster_share import EVERY_S, PATIENCE_S, ClusterShare
from tests.dashboard.clusters import cluster_of, dies, figures, responds
from tests.workers.crew import crew_of


class Played(Cluster):
    """Whose methods tests may exchange."""


class Node:
    """A cluster and a desk for each worker; how often each asked the others."""

    def __init__(self) -> None:
        self.desks: dict[int, ClusterShare] = {}
        self.running: list[int] = []

    def prepare(self, bus: Bus) -> None:
        made = cluster_of()
        cluster: Any = Played(made.me, made.query, made.seal, made.look, made.lines, made.snapshot)

        async def run() -> None:
            self.running.append(bus.worker)
            await trio.sleep_forever()

        async def answer(frame: bytes, origin: str) -> bytes:
            if frame == b"wrong":
                raise Refused("secret", "not ours")
            return b"%d answers %b from %b" % (bus.worker, frame, origin.encode())

        cluster.run, cluster.answer = run, answer
        self.desks[bus.worker] = ClusterShare(bus, cluster)

    def own(self, worker: int) -> Cluster:
        return self.desks[worker].own


async def test_only_the_keeping_worker_speaks_with_others_and_then_whoever_is_next(autojump_clock: MockClock) -> None:
    node = Node()
    async with crew_of(2, node.prepare) as crew:
        for desk in node.desks.values():
            crew.nursery.start_soon(desk.run)
        await trio.sleep(5)
        assert node.running == [0]
        await crew.kill(0)
        assert node.running == [0, 1]


async def test_who_takes_over_knows_the_dead_and_tells_the_last_word_until_the_living_have_answered(
    autojump_clock: MockClock,
) -> None:
    node = Node()
    async with crew_of(2, node.prepare) as crew:
        for desk in node.desks.values():
            crew.nursery.start_soon(desk.run)
        responds(node.own(0), "10.0.0.2", "eu-1", figures([0.01], 5))
        responds(node.own(0), "10.0.0.3", "ap-1", figures([0.01], 5))
        dies(node.own(0), "10.0.0.2")
        await trio.sleep(EVERY_S + 0.1)
        before = node.desks[0].health()
        await crew.kill(0)
        heir = node.desks[1]
        assert heir.bus.keeping
        assert heir.health() == before
        assert heir.knows("eu-1")
        responds(node.own(1), "10.0.0.3", "ap-1", figures([0.01], 5))
        assert heir.health() == before  # by itself now
        assert heir.summary()["disconnected"] == ["eu-1"]
        dies(node.own(1), "10.0.0.3")
        assert heir.health()["nodes_responding"] == 1


async def test_every_worker_tells_what_the_keeping_one_knows(autojump_clock: MockClock) -> None:
    node = Node()
    async with crew_of(2, node.prepare) as crew:
        for desk in node.desks.values():
            crew.nursery.start_soon(desk.run)
        responds(node.own(0), "10.0.0.2", "eu-1", figures([0.01], 5))
        await trio.sleep(EVERY_S + 0.1)
        keeping, other = node.desks[0], node.desks[1]
        assert other.health()["nodes_total"] == 2
        assert (other.health(), other.summary()) == (keeping.health(), keeping.summary())
        assert [other.knows(name) for name in (None, "us-1", "eu-1", "xx")] == [True, True, True, False]
        dies(node.own(0), "10.0.0.2")
        await trio.sleep(EVERY_S + 0.1)
        assert other.summary()["disconnected"] == ["eu-1"]
        await crew.join(2)
        assert node.desks[2].summary()["disconnected"] == ["eu-1"]


async def test_pictures_and_the_overview_are_the_keeping_workers(autojump_clock: MockClock) -> None:
    node = Node()
    async with crew_of(2, node.prepare):
        responds(node.own(0), "10.0.0.2", "eu-1", figures([0.01] * 5, 5))
        keeping, other = node.desks[0], node.desks[1]
        assert await other.overview() == await keeping.overview()
        drawn = await other.picture(Picture("public", "eth"))
        assert drawn == await keeping.picture(Picture("public", "eth"))
        alone = await other.picture(Picture("public"), "eu-1")
        assert alone == await keeping.picture(Picture("public"), "eu-1")
        assert alone["chains"] != drawn["chains"]


async def test_another_nodes_question_is_answered_by_the_keeping_worker_whoever_was_asked(
    autojump_clock: MockClock,
) -> None:
    node = Node()
    async with crew_of(2, node.prepare):
        for worker in (0, 1):
            assert await node.desks[worker].answer(b"hello", "10.0.0.2") == b"0 answers hello from 10.0.0.2"
            with pytest.raises(Refused) as refused:
                await node.desks[worker].answer(b"wrong", "10.0.0.2")
            assert (refused.value.kind, refused.value.detail) == ("secret", "not ours")


async def test_while_nobody_keeps_or_the_keeping_worker_hangs_that_is_said(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node()
    async with crew_of(2, node.prepare):

        async def hang(*_: object) -> bytes:
            return await trio.sleep_forever()

        node.own(0).answer = hang  # type: ignore[method-assign]
        began = trio.current_time()
        with pytest.raises(Silent, match="no answer"):
            await node.desks[1].answer(b"hello", "10.0.0.2")
        assert trio.current_time() - began == pytest.approx(PATIENCE_S)
        monkeypatch.setattr(cluster_share, "MAX_PAYLOAD", 1)
        with pytest.raises(Silent, match="too large"):
            await node.desks[1].overview()

        async def unreadable(*_: object) -> dict[str, Any]:
            raise BadSnapshot("torn")

        node.own(0).picture = unreadable  # type: ignore[method-assign]
        with pytest.raises(Silent, match="torn"):
            await node.desks[1].picture(Picture("public"))
        node.desks[1].bus.keeper = None
        with pytest.raises(Silent, match="nobody keeps"):
            await node.desks[1].overview()
        assert node.desks[1].health()["nodes_total"] == 1

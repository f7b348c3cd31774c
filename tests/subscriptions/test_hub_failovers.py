"""The promise of streams, under a storm: whatever happens to providers, what a client was told folds to the chain."""

from __future__ import annotations

import json
from random import Random

import attrs
import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import TOKENS
from tests.subscriptions.simulated import Client, Scene, fold_heads, fold_logs

FILTERS = ({}, {"address": TOKENS[0]})


@attrs.define(eq=False)
class Guest:
    """A client, what it follows, and the block after which it began."""

    client: Client
    filter: dict[str, str] | None
    began: int

    def check(self, scene: Scene) -> None:
        """What it was told, folded, is the canonical chain since it came."""
        assert not self.client.gaps
        if self.filter is not None:
            # A feed that lost a log: it comes late, behind others of its block.
            told = sorted(fold_logs(self.client.results, self.began))
            assert told == sorted(scene.logs(self.began + 1, self.filter))
            return
        believed, real = fold_heads(self.client.results), scene.hashes(scene.chain.start_height - 200)
        assert believed == (real[-len(believed) :] if believed else [])
        assert len(believed) >= scene.chain.height(0.0) - self.began


@attrs.define(eq=False)
class Storm:
    """One bad thing after the other, drawn from `rng`; the chain goes on meanwhile."""

    scene: Scene
    rng: Random
    guests: list[Guest] = attrs.field(factory=list)
    checked: int = 0

    async def strike(self) -> None:
        scene, rng = self.scene, self.rng
        source = rng.choice(scene.sources)
        match rng.choices(["die", "mute", "lag", "lose", "reorg", "replace", "guest"], [60, 2, 2, 2, 4, 2, 1])[0]:
            case "die":
                busy = [s for s in scene.sources if s.feeds]
                for dying in rng.sample(busy, min(len(busy), rng.randint(1, 3))):
                    dying.kill()
            case "mute":
                source.mute = True
            case "lag":
                source.lag = rng.randint(1, 3)
            case "lose":
                source.loss = 0.3
            case "reorg":
                await scene.reorg(rng.choice([1, 2, 3, 5, 12, 64]), rng.randint(0, 1), settle_s=0.05)
            case "replace":  # one height, several times
                for _ in range(3):
                    await scene.reorg(1, settle_s=0.01)
            case "guest":
                await self.greet()

    async def greet(self) -> None:
        """One comes or, when there are many, goes, with what it was told checked."""
        if len(self.guests) >= 6:
            await self.dismiss(self.guests.pop(self.rng.randrange(len(self.guests))))
            return
        height = self.scene.chain.height(0.0)
        back, filter_ = self.rng.choice([None, None, 10, 60]), self.rng.choice([None, *FILTERS])
        options = {} if back is None else {"fromBlock": hex(height - back)}
        params = ["newHeads", *([options] if options else [])] if filter_ is None else ["logs", filter_ | options]
        client = await self.scene.join(json.dumps(params))
        # What is under way while it comes may reach it or not.
        self.guests.append(Guest(client, filter_, self.scene.chain.height(0.0) + 1))

    async def dismiss(self, guest: Guest) -> None:
        await self.calm()
        guest.check(self.scene)
        assert guest.client.subscription is not None
        guest.client.subscription.close()
        self.checked += 1

    async def calm(self) -> None:
        """Everybody is well, and one block goes round that is higher than any before."""
        self.mend(1.0)
        await trio.sleep(3)
        await self.scene.grow(3, settle_s=1.0)
        await trio.sleep(28)  # a check whose reads keep failing goes on for 30 s

    def mend(self, share: float) -> None:
        for source in self.scene.sources:
            if self.rng.random() < share:
                source.mute, source.lag, source.loss = False, 0, 0.0
                source.revive()


async def storm(scene: Scene, seed: int, until: int) -> Storm:
    """Strike until there were `until` failovers."""
    storm = Storm(scene, Random(seed))
    for _ in range(4):
        await storm.greet()
    while failovers(scene) < until:
        await storm.strike()
        await scene.grow(1, settle_s=1.2)
        storm.mend(0.8)
    for guest in list(storm.guests):
        await storm.dismiss(guest)
    return storm


def failovers(scene: Scene) -> int:
    return sum(stream.feeds.failovers for stream in scene.hub.streams.values())


@pytest.mark.timeout(120)
async def test_ten_thousand_failovers_lose_nothing_and_repeat_nothing(autojump_clock: MockClock) -> None:
    policy = WebSocketPolicy(max_backfill_blocks=200)
    async with Scene.open(4, policy, linger_s=1e9) as scene:
        weathered = await storm(scene, seed=1, until=10_000)
        assert failovers(scene) >= 10_000
        assert weathered.checked > 10


@pytest.mark.parametrize("seed", range(2, 8))
async def test_storms_of_other_seeds_with_a_reader_that_fails_often(autojump_clock: MockClock, seed: int) -> None:
    policy = WebSocketPolicy(max_backfill_blocks=200)
    async with Scene.open(3, policy, linger_s=1e9) as scene:
        scene.reader.fails, scene.reader.takes_s = 0.3, 0.05
        await storm(scene, seed, until=200)

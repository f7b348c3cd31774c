"""Weather for streams: what may happen to providers and clients, and what clients may then believe.

A client folds what it is told, in order, gaps too. What it holds must be the canonical chain since it came, except
where a gap said that something is missing or unproven; nothing may come twice, and nothing be missing without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import attrs
import trio

from lasso_trio.devnet.json_types import JsonObject
from lasso_trio.subscriptions.feed import Arrival
from tests.subscriptions.simulated import Client, Scene, SimulatedFeed, SimulatedSource, messages_of


@attrs.define(eq=False)
class RoughSource(SimulatedSource):
    """Tells some of its events twice (`twice`), and some only after the next one (`swapped`), as shares."""

    twice: float = 0.0
    swapped: float = 0.0
    held: dict[SimulatedFeed, list[bytes]] = attrs.field(factory=dict)

    def _send(self, feed: SimulatedFeed, result: bytes) -> None:
        if self.mute or self.rng.random() < self.loss:
            return
        held = self.held.setdefault(feed, [])
        if self.rng.random() < self.swapped:
            held.append(result)
            return
        for told in (result, *held):
            for _ in range(2 if self.rng.random() < self.twice else 1):
                feed.send.send_nowait(Arrival(told, trio.current_time()))
        held.clear()

    def mend(self) -> None:
        self.mute, self.lag, self.loss, self.twice, self.swapped = False, 0, 0.0, 0.0, 0.0
        self.revive()


@attrs.frozen
class Doubt:
    """A gap: its blocks are missing, and what was told from `first` on may have been replaced."""

    first: int
    last: int

    @classmethod
    def of(cls, gap: dict[str, str]) -> Doubt:
        first, last, unproven = (int(gap[name], 16) for name in ("fromBlock", "toBlock", "unprovenFrom"))
        return cls(min(first, unproven), last)

    def covers(self, number: int) -> bool:
        return self.first <= number <= self.last


@attrs.define(eq=False)
class Listener(Client):
    """`told`: all it was told, in order. `began`: what lies above it must be there. `filter`: of logs; None: heads."""

    told: list[tuple[str, Any]] = attrs.field(factory=list)
    began: int = 0
    filter: JsonObject | None = None

    def send_frame(self, frame: bytes, topic: object | None) -> None:
        self.told += [(message["method"], message["params"]["result"]) for message in messages_of(frame)]

    @property
    def doubts(self) -> list[Doubt]:
        return [Doubt.of(result) for method, result in self.told if method == "lasso_gap"]

    def doubtful(self, number: int) -> bool:
        return any(doubt.covers(number) for doubt in self.doubts)

    def check(self, scene: Scene) -> None:
        """Raises AssertionError for whatever it was told wrongly."""
        view = scene.chain.view(trio.current_time())
        if self.filter is None:
            held = {int(header["number"], 16): header["hash"] for header in fold_with_gaps(self.told)}
            real = {number: view.block(number).hash for number in range(self.began + 1, view.head + 1)}
            assert max(held) == view.head
            wrong = [number for number, hash_ in real.items() if held.get(number) != hash_]
            wrong = [number for number in wrong if number >= min(held) and not self.doubtful(number)]
            assert not wrong, f"heads that are not the chain's: {wrong}"
            return
        logs = self._logs()
        numbers = {view.block(number).hash: number for number in range(self.began + 1, view.head + 1)}
        wanted = {key: numbers[key[0]] for key in scene.logs(self.began + 1, self.filter)}
        different = {key: {**logs, **wanted}[key] for key in logs.keys() ^ wanted.keys()}
        wrong = [(n, key) for key, n in different.items() if n > self.began and not self.doubtful(n)]
        assert not wrong, f"logs that are lacking, or not the chain's: {wrong}"

    def _logs(self) -> dict[tuple[str, str], int]:
        held: dict[tuple[str, str], int] = {}
        for log in (result for method, result in self.told if method != "lasso_gap"):
            key, number = (log["blockHash"], log["logIndex"]), int(log["blockNumber"], 16)
            if not log["removed"]:
                assert key not in held, "told twice"
                held[key] = number
            elif held.pop(key, None) is None:
                assert number <= self.began or self.doubtful(number), "removed what was not told"
        return held


def fold_with_gaps(told: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The headers that a client believes in. Raises AssertionError for a hole that no gap covers, or a repetition."""
    chain: list[dict[str, Any]] = []
    doubts: list[Doubt] = []
    for method, result in told:
        if method == "lasso_gap":
            doubts.append(Doubt.of(result))
            continue
        number = int(result["number"], 16)
        while chain and int(chain[-1]["number"], 16) >= number:
            assert chain.pop()["hash"] != result["hash"], "told twice"
        if chain and chain[-1]["hash"] != result["parentHash"]:
            assert any(doubt.covers(number - 1) for doubt in doubts), f"a hole before {number}"
        chain.append(result)
    return chain


@attrs.frozen
class Strike:
    """One thing that happens, to the provider `who`, as hard as `how` says; who is in `mended` is well after it."""

    what: str
    who: int
    how: int
    mended: tuple[int, ...]


STRIKES: Final = (
    "die",
    "mute",
    "lag",
    "lose",
    "twice",
    "swap",
    "reorg",
    "replace",
    "reader_down",
    "outage",
    "come",
    "go",
)


@attrs.define(eq=False)
class Weather:
    scene: Scene
    filters: tuple[JsonObject, ...]
    listeners: list[Listener] = attrs.field(factory=list)

    async def strike(self, strike: Strike) -> None:
        scene, how = self.scene, strike.how
        source = scene.sources[strike.who]
        assert isinstance(source, RoughSource)
        match strike.what:
            case "die":
                for dying in scene.sources[: 1 + how % 3] if how > 2 else [source]:
                    dying.kill()
            case "mute":
                source.mute = True
            case "lag":
                source.lag = 1 + how % 3
            case "lose":
                source.loss = 0.3
            case "twice":
                source.twice = 0.5
            case "swap":
                source.swapped = 0.4
            case "reorg":
                await scene.reorg((1, 2, 3, 5, 12, 64)[how], how % 2, settle_s=0.05)
            case "replace":  # one height, several times
                for _ in range(3):
                    await scene.reorg(1, settle_s=0.01)
            case "reader_down":
                scene.reader.down = True
            case "outage":
                for dying in scene.sources:
                    dying.kill()
                scene.reader.down = how > 2
                await scene.grow((3, 20, 60)[how % 3], settle_s=1.0)
            case "come":
                await self.come(how)
            case "go" if len(self.listeners) > 1:
                gone = self.listeners.pop(how % len(self.listeners))
                assert gone.subscription is not None
                gone.subscription.close()

    async def come(self, how: int) -> None:
        """A client: of heads, of one of the filters; from now on, or from some blocks before."""
        height = self.scene.chain.height(0.0)
        filter_ = (None, *self.filters)[how % 3]
        options = {} if how < 3 else {"fromBlock": hex(height - 5 * (how - 2))}
        params = ["newHeads", *([options] if options else [])] if filter_ is None else ["logs", filter_ | options]
        listener = Listener(filter=filter_)
        with trio.move_on_after(0.5):
            listener.subscription = await self.scene.hub.subscribe(
                self.scene.routed, json.dumps(params).encode(), listener
            )
        if listener.subscription is not None:
            listener.subscription.start()
            await trio.sleep(0.05)
            # What is under way while it comes may reach it or not.
            listener.began = self.scene.chain.height(0.0) + 2
            self.listeners.append(listener)

    async def pass_over(self, strikes: Iterable[Strike]) -> None:
        """Strike after strike, a block after each; then everybody is well, and clients hear the rest."""
        for strike in strikes:
            await self.strike(strike)
            await self.scene.grow(1, settle_s=1.2)
            self.mend(strike.mended)
        self.mend(range(len(self.scene.sources) + 1))
        await trio.sleep(3)
        await self.scene.grow(3, settle_s=1.0)
        await trio.sleep(35)  # what cannot be read is given up after 30 s
        await self.scene.grow(2, settle_s=2.0)

    def mend(self, mended: Iterable[int]) -> None:
        """The reader is the one after the last provider."""
        for place in mended:
            if place == len(self.scene.sources):
                self.scene.reader.down = False
            else:
                source = self.scene.sources[place]
                assert isinstance(source, RoughSource)
                source.mend()

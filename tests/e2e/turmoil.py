"""A chain that lives while nodes die: a block every second, and every few seconds a node is killed, stopped or back.

One node at least always serves. A killed node starts again at the genesis and takes the fleet's journal from there,
telling its subscribers every block anew, as a node that synchronises does. Everything is drawn from one seed.
"""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Final

import attrs

from tests.e2e.anvil import Anvil
from tests.e2e.conftest import Lived
from tests.e2e.fleet import Fleet
from tests.e2e.fold import Head, Log
from tests.e2e.history import OWNER, call_data, signed

BLOCK_S: Final = 1.0
MOST_PAID: Final = 3
MOST_REORGANISED: Final = 4


@attrs.define(eq=False)
class Turmoil:
    """`reorganise_every`: so many blocks, if at all. `done`: how often what was done.

    `mined_at`: monotonic seconds, by the block's hash.
    """

    lived: Lived
    dice: Random
    reorganise_every: int | None = None
    done: Counter[str] = attrs.field(factory=Counter)
    mined_at: dict[str, float] = attrs.field(factory=dict)
    _notes: int = 0

    @property
    def fleet(self) -> Fleet:
        return self.lived.fleet

    def run(self, seconds: float) -> None:
        began, trouble = time.monotonic(), 2
        for turn in range(1, round(seconds / BLOCK_S) + 1):
            if self.reorganise_every and turn % self.reorganise_every == 0:
                self._reorganise()
            self._live_on()
            if turn == trouble:
                self._disturb()
                trouble += self.dice.randint(2, 4)
            time.sleep(max(0.0, began + turn * BLOCK_S - time.monotonic()))

    def settle(self) -> None:
        """Everybody is back, and one more block is mined, with a payment."""
        for node in self.fleet.nodes:
            self._bring_back(node)
        self._pay()
        self._mine()

    def _live_on(self) -> None:
        for _ in range(self.dice.randrange(MOST_PAID)):
            self._pay()
        self._mine()

    def _pay(self) -> None:
        self._notes += 1
        node = next(node for node in self.fleet.nodes if node.answers)
        nonce = int(node.call("eth_getTransactionCount", OWNER.address, "pending"), 16)
        how = self.dice.choice([call_data("pay", f"no. {self._notes}"), call_data("payOften", 5, f"no. {self._notes}")])
        self.fleet.send(signed(nonce, how, self.lived.history.till))

    def _mine(self) -> None:
        at = time.monotonic()
        self.fleet.mine()
        self.mined_at[next(iter(self.fleet.heads().values()))] = at

    def _disturb(self) -> None:
        """At once, when events are on their way, or somewhat later."""
        time.sleep(self.dice.choice((0.0, self.dice.uniform(0.0, 0.8))))
        away = [node for node in self.fleet.nodes if not node.answers]
        serving = [node for node in self.fleet.nodes if node.answers]
        if len(serving) == 1:
            self._bring_back(self.dice.choice(away))
            if self.dice.random() < 0.5:
                self._take_out(serving[0])  # handed over: whoever fed the proxy so far is gone
        elif away and self.dice.random() < 0.3:
            self._bring_back(self.dice.choice(away))
        else:
            self._take_out(self.dice.choice(serving))

    def _take_out(self, node: Anvil) -> None:
        how = self.dice.choice(("killed", "stopped"))
        node.kill() if how == "killed" else node.pause()
        self.done[how] += 1

    def _bring_back(self, node: Anvil) -> None:
        if node.paused:
            self.fleet.resume(node)
        elif not node.answers:
            self.fleet.restart(node)
            self.done["restarted"] += 1

    def _reorganise(self) -> None:
        for node in self.fleet.nodes:
            if node.paused:
                self._bring_back(node)
        self.fleet.reorganise(self.dice.randint(2, MOST_REORGANISED))
        self.done["reorganised"] += 1
        self._pay()


def heads(node: Anvil, first: int) -> list[Head]:
    """What the node says its chain is, from the block `first` on."""
    last = int(node.call("eth_blockNumber"), 16)
    blocks = [node.call("eth_getBlockByNumber", hex(height), False) for height in range(first, last + 1)]
    return [Head(int(block["number"], 16), block["hash"], block["parentHash"]) for block in blocks]


def logs(node: Anvil, address: str, first: int) -> list[Log]:
    """What the node says were the logs of `address` from the block `first` on."""
    found = node.call("eth_getLogs", {"address": address, "fromBlock": hex(first), "toBlock": "latest"})
    return [
        Log(
            int(log["blockNumber"], 16), log["blockHash"], int(log["logIndex"], 16), log["transactionHash"], log["data"]
        )
        for log in found
    ]

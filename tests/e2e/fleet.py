"""Several real nodes serving one chain: every step (a transaction, a block with its timestamp) goes to each.

The same genesis, transactions and timestamps give byte-identical blocks, which `mine` checks each time. The steps are
kept in a journal and every node remembers how far it has come, so a node that was dead, paused or held back catches up
by taking the steps it missed.

The proxy sends a raw transaction to some nodes only, as it should; real networks gossip it to the others. Here `gossip`
does: it looks into every node's pool and adds what it finds to the journal. A test that sends through the proxy calls
`fleet.gossip()` (or `mine`, which does so first) before it asks for the receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
from eth_typing import HexStr
from web3 import Web3

from tests.e2e.anvil import GENESIS, Anvil, NodeError

BLOCK_TIME_S: Final = 12


@attrs.frozen
class Transaction:
    """`raw`: signed and encoded."""

    raw: HexStr


@attrs.frozen
class Block:
    timestamp: int


Step = Transaction | Block


@attrs.define(eq=False)
class Fleet:
    nodes: list[Anvil]
    journal: list[Step] = attrs.field(factory=list)
    _gossiped: set[HexStr] = attrs.field(factory=set)

    @property
    def urls(self) -> dict[str, str]:
        """Providers for a profile: node's name → URL."""
        return {node.name: node.url for node in self.nodes}

    @property
    def first(self) -> Anvil:
        return self.nodes[0]

    def __getitem__(self, name: str) -> Anvil:
        return next(node for node in self.nodes if node.name == name)

    def send(self, raw: HexStr) -> HexStr:
        """Give every node a signed transaction. Returns its hash; it is mined with the next block."""
        hash_ = Web3.to_hex(Web3.keccak(hexstr=raw))
        self._gossiped.add(hash_)
        self._take(Transaction(raw))
        return hash_

    def mine(self, blocks: int = 1) -> None:
        """Mine on every node that answers; their new heads must be equal."""
        self.gossip()
        for _ in range(blocks):
            mined = sum(isinstance(step, Block) for step in self.journal)
            self._take(Block(GENESIS + (mined + 1) * BLOCK_TIME_S))
        heads = self.heads()
        assert len(set(heads.values())) == 1, f"the nodes disagree: {heads}"

    def gossip(self) -> None:
        """Give every node the transactions that only some of them have in their pools."""
        for node in self._answering():
            for hash_ in self._pool(node):
                if hash_ not in self._gossiped:
                    self._gossiped.add(hash_)
                    self._take(Transaction(node.call("eth_getRawTransactionByHash", hash_)))

    def heads(self) -> dict[str, str]:
        """Name → hash of the newest block, for every node that answers."""
        return {node.name: node.call("eth_getBlockByNumber", "latest", False)["hash"] for node in self._answering()}

    def restart(self, node: Anvil) -> None:
        """Start a dead node again, at the genesis, and have it take all steps."""
        node.start()
        self.catch_up(node)

    def resume(self, node: Anvil) -> None:
        node.resume()
        self.catch_up(node)

    def roll_back(self, node: Anvil, blocks: int) -> None:
        """Take a node's newest blocks away. `catch_up` (or the next step) gives the same ones back."""
        other = next(each for each in self._answering() if each is not node)
        self._take_away([node], blocks, other)

    def reorganise(self, blocks: int) -> None:
        """Take every node's newest blocks away for good: what is mined next stands in their place."""
        assert not any(node.paused for node in self.nodes), "a paused node would keep them"
        nodes = self._answering()
        self._take_away(nodes, blocks, nodes[0])
        del self.journal[nodes[0].done :]

    def _take_away(self, nodes: list[Anvil], blocks: int, witness: Anvil) -> None:
        """`witness` is asked about the blocks while it has them."""
        height = int(nodes[0].call("eth_blockNumber"), 16) - blocks
        lost = witness.call("eth_getBlockByNumber", hex(height + 1), False)
        mined = [n for n, step in enumerate(self.journal, start=1) if isinstance(step, Block)]
        for node in nodes:
            node.call("anvil_rollback", blocks)
            # Rolled-back nodes reckon with the old tip.
            node.call("anvil_setNextBlockBaseFeePerGas", lost["baseFeePerGas"])
            node.done = mined[height - 1] if height else 0

    def catch_up(self, node: Anvil) -> None:
        """Have a node take the steps that it missed."""
        for step in self.journal[node.done :]:
            _apply(step, node)
            node.done += 1

    def _answering(self) -> list[Anvil]:
        return [node for node in self.nodes if node.answers]

    def _take(self, step: Step) -> None:
        self.journal.append(step)
        for node in self._answering():
            self.catch_up(node)

    @staticmethod
    def _pool(node: Anvil) -> list[HexStr]:
        by_sender = node.call("txpool_content")["pending"].values()
        return [each["hash"] for by_nonce in by_sender for _, each in sorted(by_nonce.items(), key=lambda i: int(i[0]))]


def _apply(step: Step, node: Anvil) -> None:
    match step:
        case Block(timestamp):
            node.call("evm_mine", {"timestamp": timestamp})
        case Transaction(raw):
            try:
                node.call("eth_sendRawTransaction", raw)
            except NodeError as refused:
                if "already" not in str(refused):  # it came to this node first
                    raise


@contextmanager
def running(folder: Path, count: int = 3) -> Iterator[Fleet]:
    """`count` nodes at the genesis; none of them outlives the block."""
    fleet = Fleet([Anvil(f"anvil{n}", folder) for n in range(1, count + 1)])
    try:
        for node in fleet.nodes:
            node.start()
        yield fleet
    finally:
        for node in fleet.nodes:
            node.kill()

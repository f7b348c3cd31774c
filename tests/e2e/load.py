"""A bounded load of reads whose answers are known beforehand: every one is compared, id and all, to the last byte.

Clients share one counter of calls. When it reaches `disturb_at`, `disturb` is run once, in a thread: the load goes on
meanwhile, so that what it does hits calls that are under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import trio

from tests.e2e.anvil import Anvil
from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.history import OWNER, History, call_data


@attrs.frozen
class Question:
    """`ask` and `answer` are whole bodies with a `%d` where the id goes."""

    ask: bytes
    answer: bytes


def questions(node: Anvil, history: History) -> list[Question]:
    """Reads of every kind, none with an answer so long that it is streamed, with what `node` answers to them."""
    logs = f'eth_getLogs","params":[{{"fromBlock":"{history.first:#x}","toBlock":"{history.last:#x}"}}]'
    held = f'eth_call","params":[{{"to":"{history.till}","data":"{call_data("held")}"}},"latest"]'
    refused = f'eth_call","params":[{{"to":"{history.till}","data":"{call_data("refuse", "no")}"}},"latest"]'
    calls = [
        'eth_blockNumber","params":[]',
        f'eth_getBalance","params":["{OWNER.address}","latest"]',
        f'eth_getBlockByNumber","params":["{history.last:#x}",true]',
        f'eth_getTransactionReceipt","params":["{history.paid[0]}"]',
        logs,
        held,
        refused,
        'eth_feeHistory","params":["0x4","latest",[50]]',
    ]
    return [_question(node, f'"method":"{call}'.encode()) for call in calls]


def _question(node: Anvil, call: bytes) -> Question:
    ask = b'{"jsonrpc":"2.0","id":%%d,%b}' % call.replace(b"%", b"%%")
    said = node.ask(ask % 1)
    return Question(ask, said.replace(b"%", b"%%").replace(b'"id":1', b'"id":%d', 1))


@attrs.define(eq=False)
class Load:
    """`calls` calls by `clients` connections. `wrong`: what went wrong, in words; empty when nothing did."""

    port: int
    path: str
    questions: Sequence[Question]
    calls: int = 3_000
    clients: int = 16
    disturb: Callable[[], object] = lambda: None
    disturb_at: int = -1
    begun: int = 0
    right: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = attrs.field(factory=list)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self.clients):
                nursery.start_soon(self._client, nursery)

    async def _client(self, nursery: trio.Nursery) -> None:
        caller = await Caller.connect(self.port, self.path)
        try:
            while self.begun < self.calls:
                self.begun += 1
                if self.begun == self.disturb_at:
                    nursery.start_soon(trio.to_thread.run_sync, self.disturb)
                await self._one(caller, self.begun)
        except (OSError, WrongAnswer) as problem:  # the connection is gone, and with it this client
            self.wrong.append(repr(problem))
        finally:
            caller.close()

    async def _one(self, caller: Caller, number: int) -> None:
        question = self.questions[number % len(self.questions)]
        began = trio.current_time()
        answer = await caller.call(question.ask % number)
        self.slowest_s = max(self.slowest_s, trio.current_time() - began)
        if answer.status == 200 and answer.body == question.answer % number:
            self.right += 1
        else:
            self.wrong.append(f"call {number}: {answer.status} {answer.body[:200]!r}")

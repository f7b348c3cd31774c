"""The race's load: calls that arrive by chance at a given mean rate (Poisson), each when it is due.

A provider that stalls for as long as a method's whole time makes the call fail, and that is part of what is compared:
an error with the right id is counted, with the time it took. Anything else that is no answer ends the block.
"""

from __future__ import annotations

from random import Random

from open_loop import OpenLoop
from race_variants import STALL_MS, Variant
from wire import CALL, IDS, Connection


class ErrorCounting(Connection):
    """`failed` counts the calls that were answered with an error."""

    __slots__ = ("failed",)

    def __init__(self, url: str, headers: str) -> None:
        super().__init__(url, CALL, headers)
        self.failed = 0

    def check(self) -> None:
        if is_error(self.inbox, self.number):
            self.failed += 1
        else:
            super().check()


def is_error(answer: bytes | bytearray, number: int) -> bool:
    """Whether it is a JSON-RPC error for the call of this number."""
    return answer.startswith(b"HTTP/1.1 200") and b'"error":{' in answer and IDS.findall(answer) == [b"%d" % number]


class PoissonLoop(OpenLoop):
    """Use once. Calls under way at the end are waited for longer than the longest stall."""

    drain_s = STALL_MS / 1000 + 2.0

    def __init__(self, base: str, variant: Variant, rate: float, first: int) -> None:
        super().__init__(base + variant.path, CALL, rate, first)
        self.headers, self.first, self.rate = variant.headers, first, rate
        self.chance = Random(first)
        self.opened: list[ErrorCounting] = []

    @property
    def asked(self) -> int:
        return self.number - self.first

    @property
    def failed(self) -> int:
        return sum(connection.failed for connection in self.opened)

    def next_gap(self) -> float:
        return self.chance.expovariate(self.rate)

    def connect(self) -> Connection:
        self.opened.append(ErrorCounting(self.url, self.headers))
        return self.opened[-1]

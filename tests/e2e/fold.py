"""What a client saw of a chain, folded: new branches take the place of old ones, removed logs go. And what is wrong.

A head that comes twice, one that is not the child of a head that was told, a log that comes twice or is removed without
having come, logs that are not in the chain's order: all are `Wrong`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs


class Wrong(AssertionError):
    """A client was told something that cannot be folded."""


@attrs.frozen
class Head:
    number: int
    hash: str
    parent: str


@attrs.frozen
class Log:
    block: int
    block_hash: str
    index: int
    transaction: str
    data: str

    @property
    def place(self) -> tuple[int, int]:
        return self.block, self.index


@attrs.frozen
class LogEvent:
    log: Log
    removed: bool


def folded_heads(told: Iterable[Head], before: Head) -> list[Head]:
    """The chain above `before`, the newest head when the client subscribed."""
    chain = [before]
    for head in told:
        if head in chain:
            raise Wrong(f"told twice: {head}")
        fork = next((n for n, each in enumerate(chain) if each.hash == head.parent), None)
        if fork is None or chain[fork].number + 1 != head.number:
            raise Wrong(f"{head} is not the child of one that was told; the last was {chain[-1]}")
        chain[fork + 1 :] = [head]
    return chain[1:]


def folded_logs(told: Iterable[LogEvent]) -> list[Log]:
    logs: list[Log] = []
    for event in told:
        if event.removed:
            if event.log not in logs:
                raise Wrong(f"removed, and had not come: {event.log}")
            logs.remove(event.log)
        elif logs and logs[-1].place >= event.log.place:
            raise Wrong(f"{event.log} came after {logs[-1]}")
        else:
            logs.append(event.log)
    return logs

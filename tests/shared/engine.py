"""An engine in memory, and a line to it: the few commands that we give, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import trio

from lasso_trio.shared.lane import Lane
from lasso_trio.shared.line import Command, EngineFault, Line

AHEAD_S = 1_000_000.0
"""The engine's clock less ours."""


@attrs.define(eq=False)
class FakeEngine:
    """`fault`: what every command meets. `takes_s`: for a round trip; infinity never ends. `turns`: the same of each
    round trip, one after the other. `asked`: rounds.
    """

    values: dict[bytes, bytes] = attrs.field(factory=dict)
    lives_ms: dict[bytes, int] = attrs.field(factory=dict)
    fault: EngineFault | None = None
    unreachable: bool = False
    takes_s: float = 0.001
    turns: Iterator[float] | None = None
    asked: list[list[Command]] = attrs.field(factory=list)
    dials: int = 0
    custom: Callable[[Command], Any] | None = None

    async def dial(self, nursery: trio.Nursery) -> Line:
        await trio.lowlevel.checkpoint()
        self.dials += 1
        if self.unreachable:
            raise EngineFault("unreachable")
        return FakeLine(self)

    def lane(self, name: str = "lane") -> Lane:
        return Lane(name, self.dial)

    def do(self, command: Command) -> Any:  # noqa: ANN401
        name, *rest = command
        match name:
            case "TIME":
                now = trio.current_time() + AHEAD_S
                return [b"%d" % now, b"%d" % (now % 1 * 1e6)]
            case "MGET":
                return [self.values.get(key) for key in rest]  # type: ignore[arg-type]
            case "SET":
                return self._set(*rest)
            case "UNLINK":
                return len([self.values.pop(key, None) for key in rest])  # type: ignore[arg-type]
        assert self.custom is not None, command
        return self.custom(command)

    def _set(self, key: bytes, value: bytes | str, unit: str, lives: int, condition: str = "") -> bytes | None:
        if condition == "NX" and key in self.values:
            return None
        self.values[key] = value.encode() if isinstance(value, str) else value
        self.lives_ms[key] = lives * (1000 if unit == "EX" else 1)
        return b"OK"


@attrs.define(eq=False)
class FakeLine:
    engine: FakeEngine
    usable: bool = True

    async def ask(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        if self.engine.fault is not None:
            await trio.lowlevel.checkpoint()
            raise self.engine.fault
        self.engine.asked.append(list(commands))
        with trio.move_on_after(timeout_s):
            await trio.sleep(self.engine.takes_s if self.engine.turns is None else next(self.engine.turns))
            return [self.engine.do(command) for command in commands]
        self.close()
        raise EngineFault("timeout")

    def close(self) -> None:
        self.usable = False

from __future__ import annotations

from typing import Any, NoReturn

import attrs

from lasso_trio.metrics import door
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.server.ws_limits import WsCounters
from lasso_trio.telemetry.prometheus import Table


async def nobody(*_: object) -> NoReturn:
    raise AssertionError("nobody is served")


def test_every_counter_of_the_door_is_told() -> None:
    made, table = FrontDoor(nobody, nobody), Table()
    for number, field in enumerate(attrs.fields(DoorCounters), 1000):
        setattr(made.counters, field.name, number)
    assert made.budget.reserve(5000)
    made.per_address.refused, made.calls_per_address.refused, made.budget.each.refused = 1, 2, 3
    door.read_door(made, table, 0.0)
    told = {value for rows in table.rows.values() for _, value in rows}
    assert told >= {getattr(made.counters, field.name) for field in attrs.fields(DoorCounters)}
    assert (table.value(door.BODY_BYTES), table.value(door.CONNECTIONS)) == (5000, 0)
    assert [table.value(door.PER_ADDRESS, what) for what in ("connection", "call", "body")] == [1, 2, 3]
    assert table.value(door.TIMEOUTS, "body") == made.counters.body_timeouts


def test_every_counter_of_the_websockets_is_told() -> None:
    @attrs.define
    class Unary:
        counters: WsCounters = attrs.field(factory=WsCounters)

    unary: Any = Unary()
    limits: Any = None
    lane, table = WsLane(nobody, unary, limits, ByteBudget()), Table()  # type: ignore[arg-type]  # never asked
    for number, field in enumerate(attrs.fields(WsCounters), 1000):
        setattr(unary.counters, field.name, number)
    door.read_websockets(lane, table, 0.0)
    told = {value for rows in table.rows.values() for _, value in rows}
    assert told >= {getattr(unary.counters, field.name) for field in attrs.fields(WsCounters)}
    assert table.value(door.WS_CLIENTS) == table.value(door.WS_BEHIND) == 0
    assert table.value(door.CRASHES, "websocket") == unary.counters.call_crashes

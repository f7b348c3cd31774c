"""Calls made by hand, for the rooms that wrap how a call is carried out."""

from __future__ import annotations

from random import Random
from typing import Any

import trio

from lasso_trio.routing.execute import Call
from lasso_trio.routing.room import Room


def call_of(
    it: Any,
    method: str = "eth_call",
    params: str = "[]",
    *,
    id_: str = "7",
    budget_s: float = 10.0,
    stream: bool = False,
    room: Room | None = None,
) -> Call:
    """A call of the world `it`, planned and started now."""
    request, now = it.request(method, params, id_), trio.current_time()
    strategy = it.routed.strategy_for(request.method)
    plan = it.routed.plan(request.method, request.params, now, strategy)
    return Call(
        chain=it.routed, method=request.method, params=request.params, client_id=request.reply_id, plan=plan,
        started=now, deadline=now + budget_s, clock=trio.current_time, stream=stream, room=room,
    )  # fmt: skip


RNG = Random(1)

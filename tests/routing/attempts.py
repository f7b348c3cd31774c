"""One attempt at one provider that fails as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from lasso_trio.config.profile import Capabilities, ErrorRule
from lasso_trio.devnet import Failure, Faults, Latency
from lasso_trio.routing.attempt import Attempt, attempt

Build = Callable[..., Any]
BUDGET_S = 2.0


async def ask(
    world: Any,
    method: str = "eth_gasPrice",
    params: str = "[]",
    *,
    stream: bool = False,
    budget_s: float = BUDGET_S,
) -> Attempt:
    """One attempt at provider `a`."""
    candidate, request, now = world["a"], world.request(method, params), trio.current_time()
    assert candidate.channel.admit(now)
    return await attempt(request.method, request.params, b"7", candidate, now, now + budget_s, stream)


def one(build: Build, *failures: Failure, rules: tuple[ErrorRule, ...] = (), **options: int) -> Any:
    """A world of one provider, 50 ms away, that fails as told."""
    faults = Faults(latency=Latency.constant(50), failures=failures)
    return build({"a": faults}, capabilities={"a": Capabilities(error_rules=rules)}, **options)

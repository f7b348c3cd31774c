from __future__ import annotations
from typing import Any
from lasso_trio.devnet import Faults


async def test_smoke(world: Any) -> None:
    w = world({"a": Faults(), "b": Faults()})
    print(await w.ask())
    print(w.asked)
    w.assert_nothing_leaked()

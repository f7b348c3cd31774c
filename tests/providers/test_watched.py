from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lasso_trio.providers.registry import Instance
from lasso_trio.providers.watched import Watched

PROBER: Any = SimpleNamespace(schedule=SimpleNamespace(failures=2))
KEEPER: Any = SimpleNamespace(connected=True, sessions=3)


def test_it_is_read_from_who_looks_here() -> None:
    assert Watched.by(None, None) == Watched()
    assert Watched.by(PROBER, None) == Watched(2)
    assert Watched.by(PROBER, KEEPER) == Watched(2, True, 3)


def test_what_another_process_tells_holds_as_long_as_it_looks() -> None:
    instance = Instance("a", 1, "http://a", {}, keeper=KEEPER)
    assert instance.watched == Watched(0, True, 3)
    instance.watched_elsewhere = Watched(1)
    assert instance.watched == Watched(1)

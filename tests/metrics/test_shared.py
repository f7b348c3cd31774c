from __future__ import annotations

import trio

from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.metrics import shared as module
from lasso_trio.metrics.shared import read_shared
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.shared.line import EngineFault
from lasso_trio.telemetry.prometheus import Table
from lasso_trio.upstream.http1 import Pool
from tests.shared.engine import FakeEngine
from tests.shared.profiles import profile
from tests.shared.test_shared import on_fake


async def test_lanes_lookups_and_leases_are_told(autojump_clock: trio.testing.MockClock) -> None:
    engine, table = FakeEngine(), Table()
    shared = on_fake(engine)
    directory = Directory.of(ProfileSet.of([profile("http://127.0.0.1:1")]), Registry(Pool), shared.makers())
    shared.follow(lambda: directory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.run)
        await trio.sleep(1)
        store = directory.default.store
        assert store is not None
        for _ in range(3):
            await store.get(b"public/1\x00k")
            await trio.sleep(0.1)
        engine.fault = EngineFault("full")
        directory.default.limit.take("x", 1, trio.current_time())
        await trio.sleep(0.2)
        read_shared(shared, lambda: directory, table, 0.0)
        nursery.cancel_scope.cancel()
    assert [table.value(module.UP, lane) for lane in ("cache_read", "limits")] == [1, 0]
    assert (table.value(module.OPERATIONS, "cache_read"), table.value(module.FAILURES, "limits")) == (4, 1)
    assert [table.value(module.LOOKUPS, "public", outcome) for outcome in ("hit", "miss", "foreign")] == [0, 2, 0]
    assert (table.value(module.REPORTS), table.value(module.LOST), table.value(module.TOGETHER)) == (1, 1, 0)
    assert {family.name for family in table.rows} <= {family.name for family in module.FAMILIES}

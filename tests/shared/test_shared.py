from __future__ import annotations

from collections.abc import Sequence

import trio

from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.secret import Secret
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.lease import Lease, Report
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.line import EngineFault
from lasso_trio.shared.shared import Shared
from lasso_trio.upstream.http1 import Pool
from tests.shared.engine import FakeEngine
from tests.shared.profiles import profile

PROFILE = profile("http://127.0.0.1:1")


def on_fake(engine: FakeEngine, secret: str = "s") -> Shared:
    made = Shared.on_redis(RedisTerms("127.0.0.1", password=Secret("hidden")), "lasso", Secret(secret), "here")
    for lane in made.lanes:
        lane.dial = engine.dial
    return made


async def test_profiles_are_given_leased_limits_and_stores_that_are_shared() -> None:
    made = on_fake(FakeEngine())
    directory = Directory.of(ProfileSet.of([PROFILE]), Registry(Pool), made.makers())
    made.follow(lambda: directory)
    ((slug, limit),) = made.leasing.limits()
    assert isinstance(limit, LeasedLimit)
    assert (slug, limit.rate, limit.burst) == ("public", 10, 5)
    ((slug, store),) = made.stores(directory)
    assert (slug, store.max_bytes) == ("public", PROFILE.cache.max_bytes)
    assert directory.default.store is store


async def test_each_lane_tells_its_state_and_why(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    made = on_fake(engine)
    assert {lane["state"] for lane in made.health(0.0)["lanes"].values()} == {"unknown"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await trio.sleep(1)
        assert made.health(trio.current_time())["lanes"]["cache_read"]["state"] == "up"
        engine.fault = EngineFault("full")
        limit = made.makers().limit(PROFILE)
        made.leasing.limits = lambda: [("public", limit)]
        limit.take("x", 1, trio.current_time())
        await trio.sleep(1)
        seen = made.health(trio.current_time())
        assert seen["lanes"]["limits"]["reason"] == "full"
        assert (seen["client_limits"], seen["engine"]) == ("each_for_itself", "127.0.0.1:6379")
        assert "hidden" not in repr(seen)
        nursery.cancel_scope.cancel()
    assert all(lane._line is None for lane in made.lanes)


async def test_without_an_engine_limits_alone_are_shared(autojump_clock: trio.testing.MockClock) -> None:
    class Here:
        async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
            await trio.lowlevel.checkpoint()
            return [Lease(1.0, 0.5) for _ in reports]

    made = Shared.over(Here())
    limit = made.makers().limit(PROFILE)
    made.leasing.limits = lambda: [("public", limit)]
    limit.take("x", 1, trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert not made.stores(Directory.of(ProfileSet.of([PROFILE]), Registry(Pool), made.makers()))
    assert made.health(0.0) == {"engine": None, "client_limits": "shared", "lanes": {}}

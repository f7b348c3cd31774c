"""What one worker meets with is known to all: at once, once, and to who comes later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import attrs
import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.profile import Allowance, Chain, Profile, Provider
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import Category
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.classify import verdict_for
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.method_bans import KEPT
from lasso_trio.providers.registry import Registry
from lasso_trio.server.admin_api import force
from lasso_trio.upstream.http1 import Pool
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.channel_news import whole
from lasso_trio.workers.channel_share import AT_ONCE, ChannelShare
from lasso_trio.workers.frame import MAX_PAYLOAD
from lasso_trio.workers.relay import encode
from lasso_trio.workers.shared_clock import SharedClock
from tests.workers.crew import Crew, crew_of

NAMES = ("a", "b")


def profile(*names: str, rps: int | None = None) -> Profile:
    allowance = Allowance(rps, None, {})
    providers = tuple(Provider(name, name, name, SecretUrl(f"http://{name}/"), allowance=allowance) for name in names)
    return Profile("default", "Default", (Chain("test", 1, "Test", providers),))


@attrs.define(eq=False)
class Workers:
    crew: Crew
    shares: dict[int, ChannelShare] = attrs.field(factory=dict)

    def prepare(self, bus: Bus) -> None:
        registry = Registry(Pool, Random(1))
        registry.add([profile(*NAMES)])
        share = self.shares[bus.worker] = ChannelShare(bus, registry, SharedClock.of(trio.current_time))
        registry.on_made = share.attach
        self.crew.nursery.start_soon(share.run)

    def channel(self, worker: int, name: str = "a") -> Channel:
        return next(iter(self.shares[worker].registry.instances[name].channels.values()))

    def states(self, name: str = "a") -> list[State]:
        return [self.channel(worker, name).breaker.state(trio.current_time()) for worker in sorted(self.shares)]

    @property
    def told(self) -> int:
        return sum(share.told for share in self.shares.values())

    def break_down(self, worker: int) -> None:
        for _ in range(3):
            self.channel(worker).failed("m", verdict_for(Category.NETWORK_ERROR), 0.1, trio.current_time())


@asynccontextmanager
async def workers(count: int) -> AsyncIterator[Workers]:
    async with crew_of(0) as crew:
        made = Workers(crew)
        crew.prepare = made.prepare
        for number in range(count):
            await crew.join(number)
        yield made


async def test_a_breaker_that_one_worker_opened_is_open_in_all_without_a_moments_delay(
    autojump_clock: MockClock,
) -> None:
    async with workers(4) as all_:
        before = trio.current_time()
        all_.break_down(2)
        await all_.crew.settle()
        assert all_.states() == [State.OPEN] * 4
        assert trio.current_time() == before


async def test_nobody_repeats_what_was_heard(autojump_clock: MockClock) -> None:
    async with workers(4) as all_:
        all_.break_down(2)
        all_.channel(2).failed("m", verdict_for(Category.RATE_LIMIT), 0.1, trio.current_time())
        await trio.sleep(10)
        assert all_.told == 1  # two changes of one moment, in one frame


async def test_a_closing_is_told_too(autojump_clock: MockClock) -> None:
    async with workers(3) as all_:
        all_.break_down(0)
        await trio.sleep(70)
        assert all_.states() == [State.HALF_OPEN] * 3
        for _ in range(2):
            await trio.sleep(1)
            assert all_.channel(1).admit(trio.current_time())
            all_.channel(1).succeeded("m", 0.1, trio.current_time())
        await all_.crew.settle()
        assert all_.states() == [State.CLOSED] * 3


async def test_a_late_joiner_gets_what_stands(autojump_clock: MockClock) -> None:
    async with workers(2) as all_:
        all_.break_down(0)
        all_.channel(1, "b").learned.told(Kind.EARLIEST, 1_000_000, trio.current_time())
        await trio.sleep(5)
        await all_.crew.join(2)
        assert all_.states() == [State.OPEN] * 3
        assert not all_.channel(2, "b").learned.reaches(999_999, trio.current_time())
        assert all_.channel(2, "b").learned.reaches(1_000_000, trio.current_time())


async def test_of_two_cooldowns_of_one_moment_all_keep_the_later_end(autojump_clock: MockClock) -> None:
    async with workers(3) as all_:
        now = trio.current_time()
        all_.channel(0).failed("m", verdict_for(Category.RATE_LIMIT), 0.1, now, hint_s=5.0)
        all_.channel(1).failed("m", verdict_for(Category.RATE_LIMIT), 0.1, now, hint_s=50.0)
        await all_.crew.settle()
        assert {all_.channel(worker).cooldown.until for worker in range(3)} == {now + 50.0}


async def test_an_operators_orders_reach_all(autojump_clock: MockClock) -> None:
    async with workers(3) as all_:
        await trio.sleep(1)
        force(all_.channel(1).breaker, State.OPEN, trio.current_time())
        all_.channel(1, "b").cordon(out=True, now=trio.current_time())
        await trio.sleep(1)
        assert all_.states() == [State.OPEN] * 3
        assert all(all_.channel(worker, "b").cordoned for worker in range(3))
        force(all_.channel(2).breaker, State.CLOSED, trio.current_time())
        all_.channel(0, "b").cordon(out=False, now=trio.current_time())
        await trio.sleep(1)
        assert all_.states() == [State.CLOSED] * 3
        assert not any(all_.channel(worker, "b").cordoned for worker in range(3))


async def test_of_a_named_limit_each_worker_keeps_its_part_and_more_when_another_has_gone(
    autojump_clock: MockClock,
) -> None:
    async with workers(4) as all_:
        assert all_.channel(0).pacing.share == 0.25
        await all_.crew.kill(3)
        assert all_.channel(0).pacing.share == pytest.approx(1 / 3)
        registry = all_.shares[0].registry
        registry.add([profile("a", "b", rps=30)])
        budget = registry.instances["a"].budget
        assert budget is not None
        now = trio.current_time()
        sent = [budget.affords("m", now) and budget.spend("m", now) is not None for _ in range(30)]
        assert sum(sent) == 10


async def test_an_instance_that_a_reload_brought_is_shared_as_well(autojump_clock: MockClock) -> None:
    async with workers(2) as all_:
        for worker in range(2):
            all_.shares[worker].registry.add([profile("a", "b", "new")])
        all_.channel(1, "new").breaker.quarantine("operator", trio.current_time())
        await all_.crew.settle()
        assert all_.states("new") == [State.OPEN] * 2


async def test_what_is_told_of_an_instance_that_a_worker_does_not_have_yet_is_passed_over(
    autojump_clock: MockClock,
) -> None:
    async with workers(2) as all_:
        all_.shares[0].registry.add([profile("a", "b", "new")])
        all_.channel(0, "new").breaker.quarantine("operator", trio.current_time())
        all_.break_down(0)
        await all_.crew.settle()
        assert all_.states() == [State.OPEN] * 2


async def test_who_reads_the_profiles_last_is_told_what_the_others_met_with_meanwhile(
    autojump_clock: MockClock,
) -> None:
    async with workers(3) as all_:
        all_.shares[0].registry.add([profile("a", "b", "new")])
        all_.channel(0, "new").breaker.quarantine("operator", trio.current_time())
        all_.channel(0, "new").cordon(out=True, now=trio.current_time())
        await trio.sleep(1)
        for worker in (1, 2):
            all_.shares[worker].registry.add([profile("a", "b", "new")])
        await all_.crew.settle()
        assert all_.states("new") == [State.OPEN] * 3
        assert all(all_.channel(worker, "new").cordoned for worker in range(3))


async def test_a_frame_holds_its_channels_whatever_clients_had_them_tell(autojump_clock: MockClock) -> None:
    async with workers(1) as all_:
        now = trio.current_time()
        for n in range(KEPT):
            all_.channel(0).bans.ban(f"{n:0128}", now)
        assert AT_ONCE * len(encode(whole(all_.channel(0), now))) < MAX_PAYLOAD

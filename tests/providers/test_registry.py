from __future__ import annotations

from random import Random

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Allowance, Chain, Profile, Provider, Transport
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.providers.breaker import ISOLATED, SHARED
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.registry import Registry
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool


def provider(name: str, *, instance: str | None = None, ws: bool = False, http: bool = True) -> Provider:
    return Provider(
        id=name,
        name=name,
        instance_id=instance or f"1:{name}:0",
        url=SecretUrl(f"https://{name}/v3/some-key") if http else None,
        ws_url=SecretUrl(f"wss://{name}/v3/some-key") if ws else None,
        headers={"x-key": Secret("hush")},
    )


def profile(slug: str, *providers: Provider) -> Profile:
    return Profile(slug, slug, (Chain("ethereum", 1, "Ethereum", providers),))


@pytest.fixture
def registry() -> Registry:
    return Registry(Pool, Random(1))


def test_a_provider_has_a_channel_for_each_of_its_transports(registry: Registry) -> None:
    both, http_only, ws_only = provider("a", ws=True), provider("b"), provider("c", http=False, ws=True)
    registry.add([profile("p", both, http_only, ws_only)])

    def transports(it: Provider) -> list[tuple[Transport, bool]]:
        return [(channel.transport, channel.live) for channel in registry.channels(it)]

    assert transports(both) == [(Transport.HTTP, True), (Transport.WS, False)]
    assert transports(http_only) == [(Transport.HTTP, True)]
    assert transports(ws_only) == [(Transport.WS, False)]


def test_one_upstream_is_one_instance_whatever_its_names(registry: Registry) -> None:
    mine, yours = provider("a", instance="1:x:0"), provider("b", instance="1:x:0")
    registry.add([profile("p", mine), profile("q", yours)])
    assert list(registry.channels(mine)) == list(registry.channels(yours))
    assert len(registry.instances) == len(list(registry.pools())) == 1


def test_the_pool_gets_the_providers_own_endpoint_and_headers() -> None:
    seen: list[Endpoint] = []

    def make(endpoint: Endpoint) -> Pool:
        seen.append(endpoint)
        return Pool(endpoint)

    Registry(make).add([profile("p", provider("a", ws=True))])
    assert [(endpoint.host, endpoint.tls) for endpoint in seen] == [("a", True)]
    assert b"POST /v3/some-key " in seen[0].head
    assert b"x-key: hush\r\n" in seen[0].head


def test_an_instance_shows_its_origin_and_no_key(registry: Registry) -> None:
    registry.add([profile("p", provider("a"))])
    (instance,) = registry.instances.values()
    assert (instance.id, instance.chain_id, instance.origin) == ("1:a:0", 1, "https://a/***")
    assert "key" not in repr(instance)
    assert "hush" not in repr(instance)


def test_what_two_profiles_share_does_not_break_on_the_deadlines_of_one(registry: Registry) -> None:
    shared, own = provider("a", ws=True), provider("b")
    registry.add([profile("p", shared, own), profile("q", shared)])

    def policies(it: Provider) -> list[object]:
        return [channel.breaker.policy for channel in registry.channels(it)]

    assert policies(shared) == [SHARED, SHARED]
    assert policies(own) == [ISOLATED]


def test_two_names_in_one_profile_are_no_sharing(registry: Registry) -> None:
    registry.add([profile("p", provider("a", instance="1:x:0"), provider("b", instance="1:x:0"))])
    assert [channel.breaker.policy for channel in registry.instances["1:x:0"].channels.values()] == [ISOLATED]


def test_a_second_configuration_keeps_the_state_of_what_stays(registry: Registry) -> None:
    kept = provider("a")
    registry.add([profile("p", kept)])
    before: list[Channel] = list(registry.channels(kept))
    registry.add([profile("p", attrs.evolve(kept, priority=1), provider("b"))])
    assert list(registry.channels(kept)) == before
    assert len(registry.instances) == 2


def test_all_channels_move_one_version(registry: Registry) -> None:
    registry.add([profile("p", provider("a"), provider("b", ws=True))])
    versions = {id(c.version) for instance in registry.instances.values() for c in instance.channels.values()}
    assert versions == {id(registry.version)}


async def test_closing_it_closes_every_pool(registry: Registry) -> None:
    registry.add([profile("p", provider("a"), provider("b"))])
    await registry.aclose()
    await registry.aclose()
    for pool in registry.pools():
        with pytest.raises(Exception, match="pool_closed"), trio.fail_after(1):
            await pool.exchange(b"{}", replay_safe=True)


def test_the_channels_of_an_instance_share_its_pace_and_those_of_another_do_not(registry: Registry) -> None:
    both, other = provider("a", ws=True), provider("b")
    registry.add([profile("p", both, other)])
    http, ws = registry.channels(both)
    (elsewhere,) = registry.channels(other)
    assert http.pacing is ws.pacing is not elsewhere.pacing


def test_a_budget_is_the_instances_and_the_tightest_that_any_profile_gives(registry: Registry) -> None:
    free = provider("a", ws=True)
    one, two = attrs.evolve(free, allowance=Allowance(rps=9, daily=100)), attrs.evolve(free, allowance=Allowance(rps=5))
    registry.add([profile("p", one), profile("q", two), profile("r", provider("b"))])
    http, ws = registry.channels(free)
    assert http.budget is ws.budget
    assert http.budget is not None
    assert http.budget.terms == Allowance(rps=5, daily=100)
    assert [channel.budget for channel in registry.channels(provider("b"))] == [None]


def test_a_budget_that_changes_keeps_what_was_spent(registry: Registry) -> None:
    free = provider("a")
    registry.add([profile("p", attrs.evolve(free, allowance=Allowance(rps=5)))])
    (channel,) = registry.channels(free)
    assert channel.admit(100.0)
    registry.add([profile("p", attrs.evolve(free, allowance=Allowance(rps=7)))])
    assert channel.budget is not None
    assert (channel.budget.terms.rps, channel.budget.spent(100.0)) == (7, (1, 0))
    registry.add([profile("p", free)])
    assert channel.budget is None


async def test_who_is_not_named_any_more_is_forgotten_and_the_others_stay(registry: Registry) -> None:
    a, b = provider("a"), provider("b")
    registry.add([profile("p", a, b), profile("q", a)])
    kept, left = registry.instances[a.instance_id], registry.instances[b.instance_id]
    version = registry.version.value
    assert registry.keep_only([profile("p", a)]) == [left]
    assert registry.instances == {a.instance_id: kept}
    assert kept.channels[Transport.HTTP].breaker.policy is ISOLATED
    assert registry.version.value > version
    pool = left.channels[Transport.HTTP].pool
    assert pool is not None
    assert pool not in list(registry.pools())
    await registry.aclose()
    assert "retired" in repr(pool)

from __future__ import annotations

import trio

from lasso_trio.access.gates import Gates
from lasso_trio.config.access import Terms
from lasso_trio.config.cluster_terms import ClusterTerms
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.settings import Settings
from lasso_trio.metrics.exporter import Reader
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import ALONE, Directory
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.redis_bank import NearerBank, RedisBank
from lasso_trio.shared.redis_store import SharedStore
from lasso_trio.sharing import makers_of, shared_of, show
from lasso_trio.telemetry.node import Node
from lasso_trio.upstream.http1 import Pool
from lasso_trio.workers.bank import BusBank
from lasso_trio.workers.bus import Bus
from tests.shared.profiles import profile

REDIS = RedisTerms("127.0.0.1")
PROFILES = ProfileSet.of([profile("http://127.0.0.1:1")])


def bus() -> Bus:
    return Bus(3, trio.testing.memory_stream_pair()[0])


async def test_a_process_that_is_alone_shares_nothing() -> None:
    readers: list[Reader] = []
    shared, node = shared_of(Settings()), Node("here", 0.0)
    directory = Directory.of(PROFILES, Registry(Pool), makers_of(shared))
    show(shared, node, lambda: directory, Gates(), readers)
    assert (shared, node.shared, readers, makers_of(shared)) == (None, None, [], ALONE)


async def test_workers_share_their_limits_at_their_parent() -> None:
    shared = shared_of(Settings(), bus())
    assert shared is not None
    assert isinstance(shared.leasing.bank, BusBank)
    assert shared.engine is None


async def test_nodes_share_on_the_engine_under_their_clusters_name() -> None:
    terms = ClusterTerms("lasso.internal", "blue")
    one, other = shared_of(Settings(redis=REDIS)), shared_of(Settings(redis=REDIS, cluster=terms))
    assert one is not None
    assert other is not None
    assert isinstance(one.leasing.bank, RedisBank)
    assert one.engine is not None
    assert other.engine is not None
    assert (one.engine.keys.cluster, other.engine.keys.cluster) == ("lasso", "blue")


async def test_workers_with_an_engine_have_both() -> None:
    shared = shared_of(Settings(redis=REDIS, node_id="us-east-1"), bus())
    assert shared is not None
    assert isinstance(shared.leasing.bank, NearerBank)
    assert isinstance(shared.leasing.bank.cluster, RedisBank)
    assert shared.leasing.bank.cluster.member.startswith("us-east-1.3.")


async def test_what_is_shared_is_told_of() -> None:
    readers: list[Reader] = []
    shared, node = shared_of(Settings(redis=REDIS)), Node("here", 0.0)
    directory = Directory.of(PROFILES, Registry(Pool), makers_of(shared))
    show(shared, node, lambda: directory, Gates(), readers)
    assert len(readers) == 1
    assert node.shared is not None
    assert node.shared(0.0)["engine"] == "127.0.0.1:6379"
    assert isinstance(directory.default.store, SharedStore)
    assert shared is not None
    assert [name for name, _ in shared.leasing.limits()] == ["public"]


async def test_limits_of_keys_are_shared_as_those_of_addresses_are() -> None:
    shared, gates = shared_of(Settings(redis=REDIS)), Gates()
    assert shared is not None
    directory = Directory.of(PROFILES, Registry(Pool), makers_of(shared))
    show(shared, Node("here", 0.0), lambda: directory, gates, [])
    limit = gates.limits.of(Terms(rps=10, burst=20))
    assert isinstance(limit, LeasedLimit)
    assert dict(shared.leasing.limits()) == {"public": directory.default.limit, "keys 10 20": limit}

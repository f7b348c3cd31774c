from __future__ import annotations

import json
from random import Random

from lasso_trio.config.profile import Chain, Profile, Provider, Selection
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.probers import make_probers
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.heads_view import chain_head, provider_head
from lasso_trio.upstream.http1 import Pool

NOW = 1000.0


def routed(probed: bool = True) -> RoutedChain:
    providers = tuple(Provider(name, name, f"1:{name}:0", SecretUrl(f"http://{name}/")) for name in "abc")
    chain = Chain("one", 1, "One", providers, block_time_ms=2000, selection=Selection(max_lag_blocks=3))
    directory = Directory.of(ProfileSet.of([Profile("public", "Public", (chain,))]), Registry(Pool, Random(1)))
    if probed:
        make_probers(directory)
    return next(iter(directory.chains()))


def test_a_page_without_knowledge_says_so() -> None:
    its = routed(probed=False)
    assert chain_head(its, NOW)["consensus"] is None
    row = provider_head(its, its.candidates[0], NOW)
    assert row["probes"] is None
    assert (row["head"]["height"], row["head"]["lag"], row["head"]["age_ms"]) == (None, None, None)


def test_heights_lags_and_what_probing_costs_are_shown() -> None:
    its = routed()
    for candidate, height in zip(its.candidates, (990, 1000, 1000), strict=True):
        candidate.head.check = ChainCheck.RIGHT
        candidate.head.tell(height, NOW - 2.0, 12.0)
    prober = its.registry.instances["1:a:0"].prober
    assert prober is not None
    prober.calls.add(NOW)
    head = chain_head(its, NOW)
    assert (head["consensus"], head["tip"], head["block_time_ms"], head["block_time_measured"]) == (
        1000,
        1000,
        2000,
        False,
    )
    row = provider_head(its, its.candidates[0], NOW)
    assert (row["head"]["lag"], row["head"]["raw_lag"], row["head"]["age_ms"]) == (-9, -10, 2000)
    assert (row["probes"]["calls_last_hour"], row["probes"]["status"]) == (1, "unknown")
    json.dumps([head, row])


def test_a_wrong_chain_is_named() -> None:
    its = routed()
    its.candidates[0].head.check, its.candidates[0].head.told_chain = ChainCheck.WRONG, 5
    row = provider_head(its, its.candidates[0], NOW)["head"]
    assert (row["chain"], row["wrong_chain_id"]) == ("wrong", 5)

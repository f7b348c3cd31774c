from __future__ import annotations

import attrs

from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Profile
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.probe.finding import Bound, Finding, Head, WebSocket
from lasso_trio.probe.methods import Support, Trial
from lasso_trio.probe.proposal import keeps_all, propose
from lasso_trio.probe.target import Target

TARGET = Target("rpc.example:8545", url=SecretUrl("http://rpc.example:8545"), ws_url=SecretUrl("ws://rpc.example:8545"))
FOUND = Finding("rpc.example:8545", None, "http://rpc.example:8545", chain_id=1, head=Head(20_000_000))
SUBSCRIBED = WebSocket(True, 1, 1.0, True, 3.0)


def loaded(*pairs: tuple[Target, Finding], **environ: str) -> Profile:
    return load_profile_text(f"name: x\n{propose(pairs)}", "<test>", environ)


def test_a_bare_endpoint_becomes_a_provider_that_the_loader_reads() -> None:
    (chain,) = loaded((TARGET, FOUND)).chains
    (provider,) = chain.providers
    assert (chain.key, chain.chain_id) == ("ethereum", 1)
    assert (provider.id, provider.url, provider.ws_url) == ("rpc.example-8545", TARGET.url, None)
    assert provider.capabilities.unsupported_categories == ("local_only",)


def test_what_was_found_out_comes_back_as_capabilities() -> None:
    tried = [Trial(name, "trace", Support.UNSUPPORTED, 1.0) for name in ("trace_block", "trace_call")]
    tried += [
        Trial("eth_call", "state", Support.SUPPORTED, 1.0),
        Trial("eth_getProof", "state", Support.UNSUPPORTED, 1),
    ]
    found = attrs.evolve(
        FOUND,
        methods=tuple(tried),
        log_range=Bound(1_000, exact=True),
        archive=Bound(128),
        websocket=SUBSCRIBED,
    )
    provider = loaded((TARGET, found)).chains[0].providers[0]
    assert provider.ws_url == TARGET.ws_url
    assert provider.archival is False
    assert provider.capabilities.unsupported_categories == ("trace", "local_only")
    assert provider.capabilities.unsupported_methods == ("eth_getProof",)
    assert provider.capabilities.limits.max_block_range == 999  # toBlock - fromBlock of 1000 blocks


def test_keys_become_variables_and_are_nowhere_in_the_text() -> None:
    url, ws_url = SecretUrl("https://h/v2/sekret"), SecretUrl("wss://h/v2/sekret")
    target = Target("my.drpc", "eth-main", 1, url, ws_url, True, {"X-Api-Key": Secret("sekret")})
    found = attrs.evolve(FOUND, websocket=SUBSCRIBED)
    text = propose([(target, found)])
    assert "sekret" not in text
    assert "# https://h/***" in text
    given = {"MY_DRPC_URL": url.reveal(), "MY_DRPC_WS_URL": ws_url.reveal(), "MY_DRPC_X_API_KEY": "sekret"}
    (chain,) = loaded((target, found), **given).chains
    assert chain.key == "eth-main"
    assert (chain.providers[0].url, chain.providers[0].ws_url) == (url, ws_url)
    assert chain.providers[0].headers == {"X-Api-Key": Secret("sekret")}


def test_endpoints_of_several_chains_with_equal_names_load_together() -> None:
    other = attrs.evolve(FOUND, chain_id=424_242)
    twin = attrs.evolve(TARGET, url=SecretUrl("http://rpc.example:8545/"), ws_url=None)
    profile = loaded((TARGET, FOUND), (TARGET, other), (twin, FOUND))
    assert [chain.key for chain in profile.chains] == ["ethereum", "chain-424242"]
    assert [provider.id for provider in profile.chains[0].providers] == ["rpc.example-8545", "rpc.example-8545-2"]


def test_names_that_no_identifier_may_have_are_spelt_otherwise() -> None:
    for name in ("[::1]:8545", "1.2.3.4", "...", "true"):
        target = Target(name, url=SecretUrl("https://h/key-key-key"))
        text = propose([(target, FOUND)])
        variable = text.partition("${")[2].partition("}")[0]
        assert loaded((target, FOUND), **{variable: "https://h/x"}).chains[0].providers[0].id


def test_who_did_not_answer_or_serves_another_chain_is_not_proposed() -> None:
    silent = attrs.evolve(FOUND, chain_id=None, problem="HTTP 502")
    wrong = attrs.evolve(FOUND, expected_chain_id=5)
    text = propose([(TARGET, silent), (TARGET, wrong)])
    assert "No endpoint answered" in text
    assert "chains:" not in text


def test_state_from_close_to_genesis_on_is_all_of_it() -> None:
    assert keeps_all(attrs.evolve(FOUND, archive=Bound(20_000_000, open=True)))
    assert keeps_all(attrs.evolve(FOUND, archive=Bound(19_999_500)))
    assert not keeps_all(attrs.evolve(FOUND, archive=Bound(128)))
    assert not keeps_all(attrs.evolve(FOUND, head=Head(1_000), archive=Bound(128)))
    assert not keeps_all(attrs.evolve(FOUND, archive=Bound(None)))
    assert not keeps_all(FOUND)
    assert loaded((TARGET, attrs.evolve(FOUND, archive=Bound(1, open=True)))).chains[0].providers[0].archival


def test_each_finding_alone_is_a_proposal_of_its_own() -> None:
    trace = (Trial("trace_block", "trace", Support.UNSUPPORTED, 1.0),)
    state = (
        *(Trial(n, "state", Support.SUPPORTED, 1.0) for n in ("a", "b")),
        Trial("c", "state", Support.UNSUPPORTED, 1),
    )
    socket = attrs.evolve(TARGET, url=None)
    for found, categories, methods, limit in (
        (attrs.evolve(FOUND, methods=trace), ("trace", "local_only"), (), None),
        (attrs.evolve(FOUND, methods=state), ("local_only",), ("c",), None),
        (attrs.evolve(FOUND, log_range=Bound(1, exact=True)), ("local_only",), (), 0),
        (attrs.evolve(FOUND, log_range=Bound(100_000, open=True)), ("local_only",), (), None),
    ):
        its = loaded((TARGET, found)).chains[0].providers[0].capabilities
        assert (its.unsupported_categories, its.unsupported_methods, its.limits.max_block_range) == (
            categories, methods, limit,
        )  # fmt: skip
    provider = loaded((socket, attrs.evolve(FOUND, websocket=SUBSCRIBED))).chains[0].providers[0]
    assert (provider.url, provider.ws_url) == (None, TARGET.ws_url)

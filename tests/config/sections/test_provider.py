from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import Capabilities, Profile, SharingMode

Faults = Callable[..., list[str]]
Build = Callable[[str], str]
Read = Callable[..., Profile]


def test_a_provider_needs_little(read: Read, with_provider: Build) -> None:
    provider = read(with_provider("ws_url: wss://h")).chains[0].providers[0]
    assert (provider.id, provider.name, provider.url, provider.priority) == ("a", "a", None, 100)
    assert (provider.archival, provider.subscribe_new_heads) == (True, True)
    assert (provider.sharing_mode, provider.capabilities) == (SharingMode.AUTO, Capabilities())
    assert provider.headers == {}
    assert provider.instance_id.startswith("1:h:")


def test_subscribing_is_the_chains_choice_unless_the_provider_makes_its_own(read: Read) -> None:
    text = """chains:
  ethereum:
    chain_id: 1
    websocket: {subscribe_new_heads: false}
    providers:
      - {id: a, url: "https://a"}
      - {id: b, url: "https://b", subscribe_new_heads: true}
"""
    assert [provider.subscribe_new_heads for provider in read(text).chains[0].providers] == [False, True]


def test_providers_with_one_url_and_key_are_one_instance_and_isolated_ones_are_not(read: Read) -> None:
    text = """slug: {slug}
chains:
  ethereum:
    chain_id: 1
    providers:
      - {{id: a, url: "https://rpc.example.com", api_key: k}}
      - {{id: b, url: "HTTPS://RPC.example.com:443/", auth_headers: {{authorization: Bearer k}}}}
      - {{id: c, url: "https://rpc.example.com"}}
      - {{id: d, url: "https://rpc.example.com", sharing_mode: isolated}}
"""
    here = [provider.instance_id for provider in read(text.format(slug="here")).chains[0].providers]
    there = [provider.instance_id for provider in read(text.format(slug="there")).chains[0].providers]
    assert here[0] == here[1]
    assert len(set(here)) == 3
    assert here[:3] == there[:3]
    assert here[3] != there[3]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("name: nothing else", "5: provider needs 'url' or 'ws_url' (or both)"),
        ("url: null\nws_url:", "5: provider needs 'url' or 'ws_url' (or both)"),
        ("url: https://h\npriority: high", "7: 'priority' must be an integer, found 'high'"),
        ("url: https://h\narchival: maybe", "7: 'archival' must be true or false, found 'maybe'"),
        ("url: https://h\nsharing_mode: isolate", "7: 'sharing_mode' must be one of auto, isolated; found 'isolate'"),
        ("url: https://h\nheader: {}", "7: unknown key 'header' in provider (did you mean 'headers'?)"),
        ("url: https://h\nurl: https://i", "7: duplicate key 'url' (first on line 6)"),
        ("url: https://h\nname: ''", "7: 'name' must not be blank"),
        ("url: https://h\ncapabilities: []", "7: 'capabilities' must hold `key: value` lines, found a list"),
    ],
)
def test_each_mistake_has_its_message_and_line(faults: Faults, with_provider: Build, lines: str, told: str) -> None:
    found = faults(with_provider(lines))
    assert len(found) == 1
    assert found[0].startswith(told)


def test_provider_ids_are_required_unique_and_fit_for_urls(faults: Faults) -> None:
    text = """chains:
  ethereum:
    chain_id: 1
    providers:
      - {id: a, url: "https://a"}
      - {id: a, url: "https://b"}
      - {url: "https://c"}
      - {url: "https://d"}
      - {id: "b/c", url: "https://d"}
      - nonsense
"""
    found = faults(text)
    assert found[:3] == ["6: duplicate provider id 'a'", "7: provider needs 'id'", "8: provider needs 'id'"]
    assert found[3].startswith("9: provider id 'b/c' must consist of")
    assert found[4] == "10: a provider must hold `key: value` lines, found 'nonsense'"
    assert len(found) == 5


@pytest.mark.parametrize("providers", ["providers: []", "providers: {}", "providers: a", "providers:"])
def test_a_chain_without_providers_is_refused(faults: Faults, providers: str) -> None:
    found = faults(f"chains:\n  ethereum:\n    chain_id: 1\n    {providers}\n")
    assert found == ["4: 'providers' must be a list of at least one provider of chain 'ethereum'"]


def test_the_same_id_may_be_used_in_two_chains(read: Read) -> None:
    chain = 'chain_id: {}, providers: [{{id: a, url: "https://a"}}]'
    text = "chains:\n" + "".join(f"  c{n}: {{{chain.format(n)}}}\n" for n in (1, 2))
    ids = [chain.providers[0].instance_id for chain in read(text).chains]
    assert ids[0] != ids[1]

from __future__ import annotations

from pathlib import Path

import attrs
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.dump import dump_profile, dump_profiles, dump_settings
from lasso_trio.config.loader import load_profile_text, load_profiles, shipped_directory
from lasso_trio.config.profile import Chain, ErrorRule, Profile, Provider
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.config.settings import Settings

FULL = (Path(__file__).parent / "full.yml").read_text()
ENVIRON = {"FIRST_KEY": "topsecret", "FIRST_TOKEN": "topsecret"}
WORDS = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() and "${" not in text)


def reloaded(profile: Profile) -> Profile:
    return load_profile_text(dump_profile(profile), profile.source, {})


def masked(profile: Profile) -> Profile:
    """`profile` as it would be if its masks were what stands in the file."""
    chains = tuple(
        attrs.evolve(chain, providers=tuple(masked_provider(provider) for provider in chain.providers))
        for chain in profile.chains
    )
    return attrs.evolve(profile, chains=chains)


def masked_provider(provider: Provider) -> Provider:
    return attrs.evolve(
        provider,
        instance_id="",
        url=None if provider.url is None else SecretUrl(str(provider.url)),
        ws_url=None if provider.ws_url is None else SecretUrl(str(provider.ws_url)),
        headers={name: Secret(str(value)) for name, value in provider.headers.items()},
    )


def test_what_is_dumped_loads_again_to_the_same_values_but_for_the_secrets() -> None:
    profile = load_profile_text(FULL, "full.yml", ENVIRON)
    assert masked(reloaded(profile)) == masked(profile)
    for shipped in load_profiles(shipped_directory(), {}).values():
        assert masked(reloaded(shipped)) == masked(shipped)


def test_dumping_again_changes_nothing() -> None:
    profile = load_profile_text(FULL, "full.yml", ENVIRON)
    assert dump_profile(reloaded(profile)) == dump_profile(profile)


def test_no_secret_is_dumped_but_where_it_goes_is() -> None:
    text = dump_profile(load_profile_text(FULL, "full.yml", ENVIRON))
    assert "topsecret" not in text
    assert "url: https://first.example/***" in text
    assert 'Authorization: "***"' in text


def test_every_default_is_written_out() -> None:
    lines = dump_profile(
        load_profile_text("chains: {c: {chain_id: 1, providers: [{id: a, url: 'http://a'}]}}", "c.yml", {})
    )
    for default in ("rps_limit: 100", "probe_interval_ms: 12000", "max_lag_blocks: null", "priority: 100", "size: md"):
        assert default in lines


@given(WORDS, WORDS, WORDS)
def test_any_words_survive(name: str, alias: str, fragment: str) -> None:
    rule = ErrorRule("rate_limit", None, (fragment, alias))
    plain = Provider("a", name, "", url=SecretUrl("https://a"))
    provider = attrs.evolve(plain, capabilities=attrs.evolve(plain.capabilities, error_rules=(rule,)))
    chain = Chain("c", 1, alias, (provider,))
    profile = Profile("x", name, (chain,), logo=fragment, source="x.yml")
    assert masked(reloaded(profile)) == masked(profile)


def test_several_profiles_are_set_apart_by_the_names_of_their_files() -> None:
    profiles = load_profiles(shipped_directory(), {}).values()
    text = dump_profiles(profiles)
    assert [line.split(" (")[0] for line in text.splitlines() if line.startswith("#")] == ["# demo.yml", "# public.yml"]


def test_settings_are_dumped_as_comments_with_secrets_masked() -> None:
    text = dump_settings(Settings(secret_key_base=Secret("topsecret"), port=4321))
    assert "topsecret" not in text
    assert "#   port: 4321" in text.splitlines()
    assert all(line.startswith("#") for line in text.splitlines())

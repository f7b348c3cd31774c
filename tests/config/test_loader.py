from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lasso_trio.config.loader import (
    load_profile_text,
    load_profiles,
    profile_files,
    shipped_directory,
    usual_directory,
)
from lasso_trio.config.profile import Profile, Strategy, Transport
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.errors import ConfigError, Problem

GOOD = "chains: {ethereum: {chain_id: 1, providers: [{id: a, url: 'https://a'}]}}\n"
FULL = (Path(__file__).parent / "full.yml").read_text()
ENVIRON = {"FIRST_KEY": "key", "FIRST_TOKEN": "token"}
FREE_KEYS = {"ethereum", "base", "eth_getLogs", "eth_call", "X-Team", "Authorization", "X-Api-Key"}
KEY_LINE = re.compile(r"(\s*(?:- )?)([A-Za-z_-]+):")
CLOSED_KEYS = [
    number
    for number, line in enumerate(FULL.splitlines())
    if (match := KEY_LINE.match(line)) and match[2] not in FREE_KEYS
]


def problems(directory: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_profiles(directory, {})
    return [str(problem).replace(str(directory), "DIR") for problem in caught.value.problems]


def test_yaml_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "_draft.yml", ".hidden.yml", "notes.txt", "c.yml.bak"):
        (tmp_path / name).write_text(GOOD)
    assert [path.name for path in profile_files(tmp_path)] == ["a.yaml", "b.yml"]
    loaded = load_profiles(tmp_path, {})
    assert list(loaded) == ["a", "b"]
    assert loaded["a"].source == str(tmp_path / "a.yaml")


def test_every_problem_of_every_file_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("slug: b\n" + GOOD + "nmae: x\n")
    (tmp_path / "b.yml").write_text(GOOD)
    (tmp_path / "c.yml").write_text("---\nname: c\n---\nchains: [\n")
    (tmp_path / "d.yml").write_bytes(b"name: x\nlogo: \xff\n")
    (tmp_path / "e.yml").mkdir()
    found = problems(tmp_path)
    assert found[:2] == [
        "DIR/a.yml:1: slug 'b' must equal the file's name 'a'",
        "DIR/a.yml:3: unknown key 'nmae' in profile (did you mean 'name'?)",
    ]
    assert found[2].startswith("DIR/c.yml:4: not valid YAML")
    assert found[3] == "DIR/d.yml:2: is not UTF-8"
    assert found[4].startswith("DIR/e.yml: cannot be read: ")
    assert len(found) == 5


def test_two_files_for_one_slug_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "a.yaml").write_text(GOOD)
    assert problems(tmp_path) == [
        "DIR/a.yml: " + f"{tmp_path}/a.yaml has the slug 'a' too".replace(str(tmp_path), "DIR")
    ]


def test_a_directory_without_profiles_or_no_directory_at_all_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["DIR: holds no profile (*.yml)"]
    assert problems(tmp_path / "missing") == ["DIR: cannot list profiles: No such file or directory"]
    (tmp_path / "file").write_text("")
    assert problems(tmp_path / "file") == ["DIR: cannot list profiles: Not a directory"]


def test_the_directory_beside_the_process_wins_over_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert usual_directory() == shipped_directory()
    (tmp_path / "profiles").mkdir()
    assert usual_directory() == Path("profiles")


def test_the_shipped_profiles_load_without_any_environment() -> None:
    assert list(load_profiles(shipped_directory(), {})) == ["demo", "public"]


@pytest.fixture(scope="module")
def public() -> Profile:
    return load_profiles(shipped_directory(), {})["public"]


def test_the_public_profile_has_the_documented_chains(public: Profile) -> None:
    shown = [
        (
            chain.key,
            chain.chain_id,
            len(chain.providers),
            chain.block_time_ms,
            chain.monitoring.probe_interval_ms,
            chain.monitoring.lag_alert_threshold_blocks,
            chain.selection.max_lag_blocks,
            chain.selection.archival_threshold,
            chain.websocket.new_heads_timeout_ms,
        )
        for chain in public.chains
    ]
    assert shown == [
        ("ethereum", 1, 13, 12000, 12000, 5, 1, 128, 35000),
        ("base", 8453, 5, 2000, 5000, 5, 5, 750, 20000),
        ("arbitrum", 42161, 4, 250, 5000, 15, 10, 6000, 15000),
        ("ethereum-sepolia", 11155111, 5, 12000, 15000, 5, 3, 128, 42000),
        ("base-sepolia", 84532, 4, 2000, 15000, 5, 3, 128, 42000),
        ("arbitrum-sepolia", 421614, 4, 250, 15000, 5, 3, 128, 42000),
    ]
    assert (public.rps_limit, public.burst_limit) == (100, 500)


def test_the_public_profile_needs_no_secrets_and_speaks_tls(public: Profile) -> None:
    providers = [provider for chain in public.chains for provider in chain.providers]
    assert all(provider.url is not None and provider.url.reveal().startswith("https://") for provider in providers)
    assert all(provider.ws_url is None or provider.ws_url.reveal().startswith("wss://") for provider in providers)
    assert all(not provider.headers for provider in providers)
    assert len({provider.instance_id for provider in providers}) == len(providers)


def test_no_shipped_provider_is_asked_to_sign(public: Profile) -> None:
    for chain in public.chains:
        for provider in chain.providers:
            assert "local_only" in provider.capabilities.unsupported_categories, provider.id


def test_the_demo_profile_has_four_providers_with_both_transports() -> None:
    demo = ProfileSet(load_profiles(shipped_directory(), {})).find("demo")
    assert demo is not None
    (chain,) = demo.chains
    assert (chain.key, chain.chain_id, chain.block_time_ms) == ("demo", 31337, 2000)
    for provider, port in zip(chain.providers, range(18545, 18549), strict=True):
        assert provider.url is not None
        assert provider.ws_url is not None
        assert provider.url.reveal() == f"{Transport.HTTP}://127.0.0.1:{port}"
        assert provider.ws_url.reveal() == f"{Transport.WS}://127.0.0.1:{port}"
    assert [provider.id for provider in chain.providers] == ["steady", "flaky", "throttled", "lagging"]
    assert chain.routing.default_strategy is Strategy.LOAD_BALANCED


@given(st.sampled_from(CLOSED_KEYS), st.sampled_from(["x", "_", "Z9"]))
def test_any_misspelled_key_is_reported_at_its_line_with_the_right_word(number: int, tail: str) -> None:
    lines = FULL.splitlines()
    match = KEY_LINE.match(lines[number])
    assert match is not None
    lines[number] = f"{match[1]}{match[2]}{tail}:{lines[number][match.end() :]}"
    with pytest.raises(ConfigError) as caught:
        load_profile_text("\n".join(lines), "full.yml", ENVIRON)
    found = [problem for problem in caught.value.problems if problem.what.startswith(f"unknown key '{match[2]}{tail}'")]
    assert [(problem.line, problem.hint) for problem in found] == [(number + 1, match[2])]


@given(st.sampled_from(CLOSED_KEYS))
def test_any_scalar_line_given_twice_is_reported_at_its_second_line(number: int) -> None:
    lines = FULL.splitlines()
    match = KEY_LINE.match(lines[number])
    assert match is not None
    assume("- " not in match[1] and not lines[number].endswith((":", ",")))
    text = "\n".join([*lines[: number + 1], lines[number], *lines[number + 1 :]])
    with pytest.raises(ConfigError) as caught:
        load_profile_text(text, "full.yml", ENVIRON)
    assert [str(problem) for problem in caught.value.problems] == [
        f"full.yml:{number + 2}: duplicate key {match[2]!r} (first on line {number + 1})"
    ]


def faults_of(text: str) -> tuple[Problem, ...] | None:
    """None when the text is a good profile."""
    try:
        load_profile_text(text, "full.yml", ENVIRON)
    except ConfigError as fault:
        return fault.problems
    return None


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The full profile with one slice of it replaced by something else."""
    start = draw(st.integers(0, len(FULL)))
    length = draw(st.integers(0, 30))
    graft = st.text(max_size=12) | st.sampled_from(
        ["null", "[]", "{}", "- x", "\n", "\t", "${", "${X}", ": ", "|", "&a"]
    )
    return FULL[:start] + draw(graft) + FULL[start + length :]


@pytest.mark.fuzz
@given(damaged())
def test_a_damaged_file_is_read_or_refused_with_reasons_and_never_brings_anything_down(text: str) -> None:
    found = faults_of(text)
    last = len(text.splitlines()) + 1
    assert found is None or found
    assert all(problem.line is None or 1 <= problem.line <= last for problem in found or ())


@pytest.mark.fuzz
@given(
    st.sampled_from(CLOSED_KEYS), st.sampled_from(["null", "[]", "{}", "''", "[[x]]", "{a: [1]}", "-1", "x y", "${X}"])
)
def test_any_value_of_any_shape_in_any_field_is_survived(number: int, value: str) -> None:
    lines = FULL.splitlines()
    match = KEY_LINE.match(lines[number])
    assert match is not None
    depth = len(match[1])
    rest = lines[number + 1 :]
    while rest and (not rest[0].strip() or len(rest[0]) - len(rest[0].lstrip()) > depth):
        rest.pop(0)
    text = "\n".join([*lines[:number], f"{match[1]}{match[2]}: {value}", *rest])
    assert all(isinstance(problem.line, int) for problem in faults_of(text) or ())


def test_no_problem_shows_a_secret_of_the_environment() -> None:
    environ = {"FIRST_KEY": "top secret", "FIRST_TOKEN": "top\nsecret"}
    with pytest.raises(ConfigError) as caught:
        load_profile_text(FULL.replace("priority: 1", "priority: ${FIRST_KEY}"), "full.yml", environ)
    assert len(caught.value.problems) == 4
    assert "top" not in str(caught.value)
    assert "\n" + "full.yml:58: 'priority' must be an integer, found '${FIRST_KEY}'" in "\n" + str(caught.value)

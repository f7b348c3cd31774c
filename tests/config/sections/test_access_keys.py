from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from pathlib import Path

import pytest

from lasso_trio.config.access import ANY, ApiKey, Names, Terms
from lasso_trio.config.loader import load_profile_file
from lasso_trio.config.profile import Profile
from lasso_trio.errors import ConfigError

DIGEST = "0123456789abcdef" * 4
HASH = f'hash: "sha256:{DIGEST}"'
CHAINS = "chains: {eth: {chain_id: 1, aliases: [main], providers: [{id: a, url: 'http://a'}]}}\n"
Faults = Callable[..., list[str]]
Read = Callable[..., Profile]


def with_key(fields: str) -> str:
    return f"auth:\n  keys:\n    - {{{fields}}}\n{CHAINS}"


def keys(profile: Profile) -> tuple[ApiKey, ...]:
    assert profile.access.auth is not None
    return profile.access.auth.keys


def test_a_key_may_do_everything_for_ever_unless_something_else_is_written(read: Read) -> None:
    assert keys(read(with_key(f"id: a, {HASH}"))) == (ApiKey("a", DIGEST, Terms(None, None, ANY, ANY), inf, False),)


def test_everything_of_a_key_is_read(read: Read) -> None:
    text = f"id: a.b-c, {HASH}, rps: 5, burst: 9, methods: [eth_*], chains: {{deny: [main]}}, disabled: true"
    terms = Terms(5, 9, Names(("eth_*",)), Names(deny=("main",)))
    assert keys(read(with_key(text))) == (ApiKey("a.b-c", DIGEST, terms, inf, True),)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_an_expiry_is_a_moment_in_utc_unless_it_has_a_zone(read: Read, text: str, moment: datetime) -> None:
    assert keys(read(with_key(f'id: a, {HASH}, expires: "{text}"')))[0].expires == moment.timestamp()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (HASH, "3: key needs 'id'"),
        ("id: a", "3: key needs 'hash'"),
        (f"id: a_b, {HASH}", "3: key id 'a_b' must be"),
        (f"id: {'a' * 33}, {HASH}", "3: key id"),
        ("id: a, hash: abc", "3: 'hash' must be 'sha256:' and 64 hexadecimal digits"),
        (f"id: a, {HASH}, rps: 0", "3: 'rps' must be a positive integer"),
        (f"id: a, {HASH}, burst: 5", "3: 'burst' needs 'rps'"),
        (f"id: a, {HASH}, chains: [ethh]", "3: no chain of this profile is called 'ethh' (did you mean 'eth'?)"),
        (f"id: a, {HASH}, expires: soon", "3: 'expires' must be like 2027-01-31"),
        (f"id: a, {HASH}, exipres: 2027-01-31", "3: unknown key 'exipres' in key (did you mean 'expires'?)"),
        (f"id: a, {HASH}}}\n    - {{id: a, {HASH}", "4: duplicate key id 'a'"),
        ("id: a}\n    - x\n    - {id: b", "4: a key must hold"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(faults: Faults, fields: str, problem: str) -> None:
    assert any(fault.startswith(problem) for fault in faults(with_key(fields)))


def test_a_hash_that_is_none_is_not_repeated_for_it_may_be_the_key(faults: Faults) -> None:
    assert "lasso_a_secret" not in "".join(faults(with_key("id: a, hash: lasso_a_secret")))


@pytest.mark.parametrize("keys_", ["auth: {keys: 5}", "auth: {keys: }"])
def test_keys_are_a_list(faults: Faults, keys_: str) -> None:
    assert faults(f"{keys_}\n{CHAINS}")[0].startswith("1: 'keys' must be a list")


def profile_in(directory: Path, auth: str) -> Profile:
    path = directory / "mine.yml"
    path.write_text(f"auth: {auth}\n{CHAINS}")
    return load_profile_file(path, {})


def test_keys_of_a_file_beside_the_profile_are_added(tmp_path: Path) -> None:
    (tmp_path / "_keys.yml").write_text(f"keys:\n  - {{id: b, {HASH}}}\n")
    profile = profile_in(tmp_path, f"{{keys_file: _keys.yml, keys: [{{id: a, {HASH}}}]}}")
    assert [key.id for key in keys(profile)] == ["a", "b"]


def test_what_is_wrong_in_a_file_of_keys_is_said_with_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "_keys.yml").write_text(f"keys:\n  - {{id: b, {HASH}}}\n  - {{idd: c, {HASH}}}\nkees: 1\n")
    with pytest.raises(ConfigError) as caught:
        profile_in(tmp_path, f"{{keys_file: _keys.yml, keys: [{{id: b, {HASH}}}]}}")
    told = {(problem.file.rpartition("/")[2], problem.line, problem.hint) for problem in caught.value.problems}
    assert told == {("_keys.yml", 2, None), ("_keys.yml", 3, "id"), ("_keys.yml", 3, None), ("_keys.yml", 4, "keys")}


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_of_keys_that_cannot_be_read_is_a_problem_of_the_profile(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "_keys.yml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        profile_in(tmp_path, "{keys_file: _keys.yml}")
    (problem,) = caught.value.problems
    assert (problem.line, "cannot be read" in problem.what) == (1, True)


def test_a_file_that_is_no_yaml_is_said(tmp_path: Path) -> None:
    (tmp_path / "_keys.yml").write_text("keys: [")
    with pytest.raises(ConfigError, match=r"_keys.yml:1: not valid YAML"):
        profile_in(tmp_path, "{keys_file: _keys.yml}")

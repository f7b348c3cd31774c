from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lasso_trio.access.api_key import made, owner_of
from lasso_trio.access.key_command import key, rows_of
from lasso_trio.cli import main
from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Profile

CHAINS = "chains: {eth: {chain_id: 1, providers: [{id: a, url: 'http://a'}]}}\n"


def run(*args: str, stdin: str = "") -> Result:
    return CliRunner().invoke(key, args, input=stdin)


def profile_with(entry: str) -> Profile:
    lines = "".join(f"    {line}\n" for line in entry.splitlines())
    return load_profile_text(f"auth:\n  keys:\n{lines}{CHAINS}", "<t>", {})


def test_a_new_key_belongs_to_the_entry_that_is_printed_with_it() -> None:
    done = run("new", "--id", "wallet", "--rps", "50", "--methods", "eth_*,net_version", "--expires", "2027-01-31")
    assert done.exit_code == 0, done.output
    text, entry = (
        re.findall(r"^    (lasso_\S+)$", done.output, re.MULTILINE)[0],
        done.output[done.output.index("- id") :],
    )
    profile = profile_with(entry)
    assert profile.access.auth is not None
    (made_,) = profile.access.auth.keys
    assert owner_of(text, {"wallet": made_}) is made_
    assert (made_.terms.rps, made_.terms.methods.allow) == (50, ("eth_*", "net_version"))
    assert text not in entry


def test_without_a_name_one_is_made_up() -> None:
    assert re.search(r"- id: key-[0-9a-f]{8}\n", run("new").output)


def test_the_entry_of_a_key_that_exists_is_made_from_standard_input() -> None:
    text = made("old")
    done = run("hash", "--rps", "5", "--burst", "9", "--chains", "eth", stdin=f"{text}\n")
    profile = profile_with(done.output)
    assert profile.access.auth is not None
    assert owner_of(text, {key.id: key for key in profile.access.auth.keys}) is not None
    assert text not in done.output


@pytest.mark.parametrize(
    ("args", "stdin", "why"),
    [
        (("new", "--id", "a_b"), "", "a key's id"),
        (("new", "--burst", "5"), "", "--burst needs --rps"),
        (("new", "--expires", "soon"), "", "write 2027-01-31"),
        (("hash",), "hunter2\n", "that is no key"),
        (("hash",), "", "that is no key"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(args: tuple[str, ...], stdin: str, why: str) -> None:
    done = run(*args, stdin=stdin)
    assert done.exit_code == 2
    assert why in done.output
    assert "lasso_" not in done.output


def test_keys_are_listed_with_what_they_may_do() -> None:
    zero = "0" * 64
    entry = f"""- {{id: a, hash: "sha256:{zero}", rps: 5, methods: {{deny: [eth_send*]}}, expires: 2027-01-31}}
- {{id: b, hash: "sha256:{zero}", disabled: true, chains: [], rps: 1, burst: 3}}
- {{id: c, hash: "sha256:{zero}", expires: 2020-01-01}}"""
    assert list(rows_of([profile_with(entry)], 1_800_000_000.0)) == [
        ("public", "a", "good", "5/5", "*,!eth_send*", "*", "2027-01-31 00:00Z"),
        ("public", "b", "disabled", "1/3", "*", "none", "never"),
        ("public", "c", "expired", "-", "*", "*", "2020-01-01 00:00Z"),
    ]
    assert list(rows_of([load_profile_text(CHAINS, "<t>", {})], 0.0)) == []


def test_the_list_is_a_table_of_the_profiles_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = f'- {{id: a, hash: "sha256:{"0" * 64}"}}'
    (tmp_path / "public.yml").write_text(f"auth:\n  keys:\n    {entry}\n{CHAINS}")
    done = CliRunner().invoke(main, ["key", "list", str(tmp_path)])
    header, row = done.output.splitlines()
    assert (header.split()[:2], row.split()[:3]) == (["PROFILE", "KEY"], ["public", "a", "good"])
    monkeypatch.setenv("LASSO_PROFILES_DIR", str(tmp_path))
    assert run("list").output == done.output


def test_profiles_that_are_wrong_are_told_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "public.yml").write_text("auth: {keys: 5}\n" + CHAINS)
    done = run("list", str(tmp_path))
    assert (done.exit_code, "public.yml:1: 'keys' must be a list" in done.output) == (2, True)

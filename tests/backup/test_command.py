from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lasso_trio import cli

TEXT = "chains: {ethereum: {chain_id: 1, providers: [{id: a, url: 'https://a.example/${BACKUP_KEY}'}]}}\n"
SECRET = "the-value-of-the-key"

Lasso = Callable[..., Result]


@pytest.fixture
def lasso(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lasso:
    """Runs the command in an empty directory that holds `profiles/mine.yml`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LASSO_PROFILES_DIR", raising=False)
    monkeypatch.setenv("BACKUP_KEY", SECRET)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yml").write_text(TEXT)
    return lambda *words: CliRunner().invoke(cli.main, list(words))


def test_what_was_lost_is_restored(lasso: Lasso, tmp_path: Path) -> None:
    assert lasso("backup", "-o", "a.tar.gz").exit_code == 0
    (tmp_path / "profiles" / "mine.yml").unlink()
    result = lasso("restore", "a.tar.gz")
    assert (result.exit_code, (tmp_path / "profiles" / "mine.yml").read_text()) == (0, TEXT)
    assert lasso("validate").exit_code == 0


def test_the_variables_are_listed_and_their_values_are_nowhere(lasso: Lasso, tmp_path: Path) -> None:
    result = lasso("backup")
    (archive,) = tmp_path.glob("lasso-profiles-*.tar.gz")
    assert "BACKUP_KEY" in result.output
    assert SECRET not in result.output
    assert archive.stat().st_mode & 0o777 == 0o600


def test_an_archive_may_go_to_standard_output(lasso: Lasso) -> None:
    assert lasso("backup", "-o", "-").stdout_bytes[:2] == b"\x1f\x8b"


def test_a_key_in_the_text_is_warned_of(lasso: Lasso, tmp_path: Path) -> None:
    (tmp_path / "profiles" / "mine.yml").write_text(TEXT.replace("${BACKUP_KEY}", "0123456789abcdef0123456789abcdef"))
    assert "warning: mine.yml:1" in lasso("backup", "-o", "a.tar.gz").output


def test_a_file_that_the_archive_cannot_hold_is_warned_of(lasso: Lasso, tmp_path: Path) -> None:
    (tmp_path / "profiles" / "mine.yml").write_text(f"{TEXT}auth: {{keys_file: ../keys.yml}}\n")
    assert "warning: mine.yml:2: ../keys.yml is not in profiles" in lasso("backup", "-o", "a.tar.gz").output


def test_a_changed_file_is_written_over_only_by_force(lasso: Lasso, tmp_path: Path) -> None:
    lasso("backup", "-o", "a.tar.gz")
    mine = tmp_path / "profiles" / "mine.yml"
    mine.write_text("changed")
    refused = lasso("restore", "a.tar.gz")
    assert (refused.exit_code, mine.read_text()) == (1, "changed")
    assert "--force" in refused.output
    assert lasso("restore", "a.tar.gz", "--force").exit_code == 0
    assert mine.read_text() == TEXT


def test_a_dry_run_says_all_and_does_nothing(lasso: Lasso, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lasso("backup", "-o", "a.tar.gz")
    monkeypatch.delenv("BACKUP_KEY")
    result = lasso("restore", "a.tar.gz", "elsewhere", "--dry-run")
    assert result.exit_code == 0
    assert "new       mine.yml" in result.output
    assert "not set here, and needed: BACKUP_KEY" in result.output
    assert not (tmp_path / "elsewhere").exists()


def test_a_damaged_archive_changes_nothing(lasso: Lasso, tmp_path: Path) -> None:
    lasso("backup", "-o", "a.tar.gz")
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    result = lasso("restore", "a.tar.gz", "elsewhere")
    assert result.exit_code == 1
    assert not (tmp_path / "elsewhere").exists()


def test_where_there_is_no_profile_there_is_no_backup(lasso: Lasso, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert lasso("backup", "empty").exit_code == 2

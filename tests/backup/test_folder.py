from __future__ import annotations

from pathlib import Path

import pytest

from lasso_trio.backup import folder
from lasso_trio.backup.folder import Plan
from lasso_trio.errors import ConfigError, LassoError


def filled(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.yml").write_text(text)
    return directory


def test_all_files_but_hidden_ones_and_directories_are_read(tmp_path: Path) -> None:
    filled(tmp_path, a="1", _b="2")
    (tmp_path / ".env").write_text("KEY=secret")
    (tmp_path / "keys.txt").write_text("3")
    (tmp_path / "more.yml").mkdir()
    assert folder.read(tmp_path) == {"_b.yml": b"2", "a.yml": b"1", "keys.txt": b"3"}


def test_a_directory_without_a_profile_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no profile"):
        folder.read(tmp_path)


def test_the_plan_tells_new_changed_equal_and_kept(tmp_path: Path) -> None:
    filled(tmp_path, same="1", other="2", mine="3")
    files = {"same.yml": b"1", "other.yml": b"two", "fresh.yml": b"4"}
    assert folder.plan(tmp_path, files) == Plan(("fresh.yml",), ("other.yml",), ("same.yml",), ("mine.yml",))
    assert folder.plan(tmp_path / "nowhere", files).new == tuple(files)


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("1")
    (tmp_path / "a.yml").symlink_to(target)
    with pytest.raises(LassoError, match="plain file"):
        folder.plan(tmp_path, {"a.yml": b"2"})


def test_written_are_the_names_that_were_asked_for_and_no_trace_of_the_work(tmp_path: Path) -> None:
    place = tmp_path / "new" / "profiles"
    folder.write(place, {"a.yml": b"1", "b.yml": b"2"}, ("a.yml",))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"a.yml": b"1"}
    assert (place / "a.yml").stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (filled(tmp_path, a="1") / "a.yml").chmod(0o640)
    folder.write(tmp_path, {"a.yml": b"2"}, ("a.yml",))
    assert (tmp_path / "a.yml").stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_put_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("1")
    with pytest.raises(OSError, match="directory"):
        folder.put(tmp_path / "a", b"2", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]

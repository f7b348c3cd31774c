"""Foreign files are the ones that are written down: the committed ones, and any that come."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "vendor_assets.py"
CODE = b"export const a = 1\n"


@pytest.fixture(scope="module")
def assets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_assets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        entry = tarfile.TarInfo("package/dist/a.js")
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def listing(folder: Path, integrity: str, sha256: str) -> Path:
    folder.joinpath("VENDOR.toml").write_text(
        f'[[package]]\nname = "a"\nversion = "1.0.0"\nintegrity = "{integrity}"\n'
        f'files = [{{ from = "dist/a.js", to = "a.js", sha256 = "{sha256}" }}]\n'
    )
    return folder


@pytest.fixture
def npm(assets: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What npm would bring: {"archive": …}."""
    brought = {"archive": archive(CODE)}

    def run(command: list[str], **_: object) -> None:
        Path(command[-1], "a-1.0.0.tgz").write_bytes(brought["archive"])

    monkeypatch.setattr(assets.subprocess, "run", run)
    return brought


def test_the_committed_files_are_the_listed_ones(assets: ModuleType) -> None:
    assert list(assets.breaches(assets.VENDOR)) == []


def test_a_changed_a_missing_and_an_unlisted_file_are_breaches(assets: ModuleType, tmp_path: Path) -> None:
    folder = listing(tmp_path, "-", assets.sha256(CODE))
    assert list(assets.breaches(folder)) == ["a.js: missing"]
    (folder / "a.js").write_bytes(CODE + b"evil()")
    (folder / "b.js").write_bytes(b"")
    assert list(assets.breaches(folder)) == [
        "b.js: not in VENDOR.toml",
        "a.js: its sha256 is not the one in VENDOR.toml",
    ]


def test_what_comes_is_taken_when_archive_and_file_are_the_listed_ones(
    assets: ModuleType, tmp_path: Path, npm: dict[str, bytes]
) -> None:
    folder = listing(tmp_path, assets.integrity(npm["archive"]), assets.sha256(CODE))
    assets.fetch(folder)
    assert (folder / "a.js").read_bytes() == CODE


def test_another_archive_or_file_than_the_listed_one_is_not_written(
    assets: ModuleType, tmp_path: Path, npm: dict[str, bytes]
) -> None:
    with pytest.raises(assets.Mismatch, match="another integrity"):
        assets.fetch(listing(tmp_path, "sha512-no", assets.sha256(CODE)))
    with pytest.raises(assets.Mismatch, match="another sha256"):
        assets.fetch(listing(tmp_path, assets.integrity(npm["archive"]), "0" * 64))
    assert not (tmp_path / "a.js").exists()


def test_adopting_writes_the_new_hash_down(assets: ModuleType, tmp_path: Path, npm: dict[str, bytes]) -> None:
    folder = listing(tmp_path, assets.integrity(npm["archive"]), "0" * 64)
    assets.fetch(folder, adopt=True)
    assert list(assets.breaches(folder)) == []

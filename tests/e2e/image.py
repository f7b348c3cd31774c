"""The image, built with buildah and run on its own root: read-only, as the user it names, without a container engine.

The base is a minimal Debian made by mmdebstrap and kept in the toolbox, so only the distribution's and Python's
registries are asked. Layers live in a folder of the test. What a run takes from the image is what an engine takes: its
environment, entry point and health check. Needs root (for mount namespaces); the container itself has none of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from tests.e2e import toolbox

BASE_PACKAGES: Final = "python3-minimal,python3-venv,ca-certificates"
BASE: Final = toolbox.TOOLBOX / "image-base.tar"
BUILD_S: Final = 150.0
REGISTRY_FILES: Final = ("/etc/ssl/certs", "/etc/pip.conf")
"""How this machine reaches its registry of packages; lent to the build, not part of the image."""

# The root is bound to itself to have something to make read-only; then it is entered as the image's user.
_ENTER: Final = """
set -e
mount --bind "$ROOT" "$ROOT"
mount -o remount,ro,bind "$ROOT"
mount --rbind /proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
[ -z "$PROFILES" ] || mount -o ro,bind "$PROFILES" "$ROOT/app/profiles"
exec chroot --userspec="$WHO" "$ROOT" env -i -C /app "$@"
"""


@attrs.frozen
class Image:
    root: Path
    """Its file system, as a folder."""
    config: Mapping[str, Any]
    size: int
    """Bytes over the base."""

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])

    def start(
        self, *arguments: str, env: Mapping[str, str] = {}, profiles: Path | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Run a program of the image, as an engine would. The process is the program: signals reach it.

        `profiles`: a folder instead of the image's own. `options` are Popen's.
        """
        outside = {"ROOT": str(self.root), "WHO": self.config["User"], "PROFILES": str(profiles or "")}
        inside = [f"{name}={value}" for name, value in {**self.environment, **env}.items()]
        command = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", *inside, *arguments]
        return subprocess.Popen(command, env={**os.environ, **outside}, **options)


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The image of this checkout. Skips where buildah or mmdebstrap are missing, or without root."""
    for tool in ("buildah", "mmdebstrap", "unshare"):
        if shutil.which(tool) is None:
            _lacking(f"{tool} is not installed (Debian: apt-get install {tool})")
    if os.getuid() != 0:
        _lacking("the image can be run by root only")
    buildah = ["buildah", "--root", str(folder / "layers"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    try:
        _import_base(folder, buildah)
        _run(
            *buildah, "build", *_options(), "--build-arg", "BASE=localhost/base", "-t", "localhost/lasso", toolbox.ROOT
        )
        container = _run(*buildah, "from", "--pull-never", "localhost/lasso").strip()
        root = Path(_run(*buildah, "mount", container).strip())
        config = json.loads(_run(*buildah, "inspect", "--type", "image", "localhost/lasso"))["Docker"]["config"]
        yield Image(root, config, _size(buildah, "localhost/lasso") - _size(buildah, "localhost/base"))
    finally:
        shutil.rmtree(folder)


def _lacking(reason: str) -> None:
    """scripts/test fetches none of this, so its absence is no failure under CI=true either."""
    pytest.skip(reason)


def _options() -> list[str]:
    lent = [f"--volume={path}:{path}:ro" for path in REGISTRY_FILES if os.path.exists(path)]
    file = toolbox.ROOT / "Containerfile"
    return ["--isolation", "chroot", "--pull-never", "--format", "docker", "--file", str(file), *lent]


def _import_base(folder: Path, buildah: list[str]) -> None:
    if not BASE.exists():
        fresh = BASE.with_suffix(".new.tar")
        BASE.parent.mkdir(exist_ok=True)
        _run("mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", fresh)
        fresh.rename(BASE)
    context = folder / "base"
    context.mkdir(parents=True)
    shutil.copyfile(BASE, context / "base.tar")
    (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    _run(*buildah, "build", "--isolation", "chroot", "-t", "localhost/base", "-f", context / "Containerfile", context)


def _size(buildah: list[str], name: str) -> int:
    manifest = json.loads(json.loads(_run(*buildah, "inspect", "--type", "image", name))["Manifest"])
    return sum(layer["size"] for layer in manifest["layers"])


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lasso_trio.errors import ConfigError
from lasso_trio.loadtest import plot
from lasso_trio.loadtest.outcome import OK
from lasso_trio.loadtest.tally import Tally


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG")])
def test_the_name_says_what_is_drawn(tmp_path: Path, name: str, begins: bytes) -> None:
    tally = Tally()
    for ms in range(1, 200):
        tally.add(OK, ms / 1000)
    plot.check(tmp_path / name)
    plot.plot(tmp_path / name, tally, "http://target.example")
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_another_name_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        plot.check(Path("a.gif"))


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="plot"):
        plot.check(Path("a.svg"))


def test_matplotlib_is_not_imported_by_the_command() -> None:
    import subprocess

    words = "import lasso_trio.loadtest.command, sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", words], check=True)

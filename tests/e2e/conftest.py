"""Fixtures of the end-to-end tests: a fleet of real nodes with a history, and proxies over it.

`fleet` and `lasso` serve a whole session and are for tests that read, or that add blocks; whoever kills takes
`fresh_fleet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.e2e import fleet as fleets
from tests.e2e import lasso as proxies
from tests.e2e.fleet import Fleet
from tests.e2e.history import History, live_through
from tests.e2e.lasso import Lasso


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleets.running(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def history(fleet: Fleet) -> History:
    return live_through(fleet)


@pytest.fixture(scope="session")
def lasso(fleet: Fleet, history: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasso]:
    """A proxy over the session's fleet."""
    with proxies.running(tmp_path_factory.mktemp("proxy") / "lasso", fleet.urls) as lasso:
        yield lasso


@attrs.frozen
class Lived:
    """A fleet of one's own, and what happened on it."""

    fleet: Fleet
    history: History


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lived]:
    with fleets.running(tmp_path) as fleet:
        yield Lived(fleet, live_through(fleet))


Serve = Callable[..., Lasso]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a proxy: `serve({"id": "http://…"}, rps=…, burst=…, env={…})`. It is stopped and checked at the end."""
    with ExitStack() as stack:
        started: list[Lasso] = []

        def start(providers: dict[str, str], **options: Any) -> Lasso:
            folder = tmp_path / f"lasso{len(started)}"
            started.append(stack.enter_context(proxies.running(folder, providers, **options)))
            return started[-1]

        yield start


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a measurement to the terminal, whatever pytest captures."""

    def out(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="")  # noqa: T201

    return out

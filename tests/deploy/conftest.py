"""Says at the end of a run which checkers of the deployment's files were not there."""

from __future__ import annotations

import pytest

from tests.deploy import tools


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in sorted(tools.missing):
        terminalreporter.write_line(f"!! NOT RUN, deployment: {name} is missing ({tools.HOW[name]})", yellow=True)

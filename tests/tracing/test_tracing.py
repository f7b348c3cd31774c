"""Tracing is there when it is asked for, and says so when it cannot be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.errors import ConfigError
from lasso_trio.tracing import tracing as room
from lasso_trio.tracing.tracing import check, service_of, tracing

ON = Settings(tracing=TracingTerms(Secret("http://127.0.0.1:9/v1/traces")))


async def test_off_means_the_usual_service() -> None:
    async with tracing(Settings()) as traced:
        assert traced is None
        assert service_of(traced) is None


async def test_on_means_a_service_that_follows_calls() -> None:
    async with tracing(ON) as traced:
        assert traced is not None
        assert service_of(traced) is traced.service
        assert traced.tally.kept == 0


def test_a_missing_extra_is_a_mistake_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "NEEDED", ("no_such_package.sdk",))
    check(Settings())
    with pytest.raises(ConfigError, match="OpenTelemetry is not installed"):
        check(ON)


def test_what_is_there_is_no_mistake() -> None:
    check(ON)


def test_nothing_of_opentelemetry_is_imported_with_the_node() -> None:
    code = "import sys, lasso_trio.serving; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

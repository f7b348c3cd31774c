"""Tracing from the settings to what a node is joined with: nothing of OpenTelemetry is imported unless it is on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import attrs
import trio

from lasso_trio.config.settings import FILE, Settings
from lasso_trio.errors import ConfigError, Problem
from lasso_trio.routing.service import Service
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.tracing.sampling import Sampler
from lasso_trio.tracing.traced import TracedService, TracedTeller

if TYPE_CHECKING:
    from lasso_trio.tracing.collector import Collector, Tally

NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
GRACE_S: Final = 3.0


@attrs.define(eq=False)
class Tracing:
    """What a node with tracing has in the places of its usual service and teller."""

    service: TracedService
    collector: Collector

    @property
    def tally(self) -> Tally:
        return self.collector.tally

    def teller(self, usual: CallTeller) -> CallTeller:
        return TracedTeller(usual.log, usual.transport, complete=self.service.complete)


def service_of(traced: Tracing | None) -> Service | None:
    """None: the usual one."""
    return None if traced is None else traced.service


def check(settings: Settings) -> None:
    """Raises ConfigError when tracing is asked for and the extra is missing."""
    if settings.tracing is not None and not all(_is_there(name) for name in NEEDED):
        hint = "install lasso-trio[otel], or set LASSO_OTEL=off"
        raise ConfigError([Problem(FILE, None, "tracing is on, and OpenTelemetry is not installed", hint)])


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a parent
        return False


@asynccontextmanager
async def tracing(settings: Settings) -> AsyncIterator[Tracing | None]:
    """None when it is off. At the end what was traced is posted, within a few seconds."""
    if settings.tracing is None:
        yield None
        return
    from lasso_trio.tracing.collector import Collector

    collector = Collector.of(settings.tracing, settings.node_id)
    try:
        sampler = Sampler.of(settings.tracing)
        propagate = settings.tracing.propagate
        yield Tracing(TracedService(sampler=sampler, propagate=propagate, keep=collector.keep), collector)
    finally:
        with trio.CancelScope(deadline=trio.current_time() + GRACE_S, shield=True):
            await collector.aclose()

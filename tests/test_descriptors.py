from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import CapturingLogger

from lasso_trio import descriptors


@pytest.fixture(autouse=True)
def same_limits_afterwards() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    logger = CapturingLogger()
    monkeypatch.setattr(descriptors, "log", logger)
    return logger


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allowed = descriptors.raise_limit()
    assert allowed == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256


def test_a_limit_that_cannot_be_raised_is_told_and_kept(monkeypatch: pytest.MonkeyPatch, said: CapturingLogger) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    def refuse(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.raise_limit() == 256
    assert said.calls[0].args == ("descriptors.limit",)


@pytest.mark.parametrize(("open_files", "warned"), [(1024, True), (20_000, False), (resource.RLIM_INFINITY, False)])
def test_fewer_files_than_promised_connections_is_a_warning(
    open_files: int, warned: bool, said: CapturingLogger
) -> None:
    descriptors.check(open_files, 20_000)
    assert bool(said.calls) == warned

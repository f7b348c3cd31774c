from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from lasso_trio import descriptors


@pytest.fixture(autouse=True)
def same_limits_afterwards() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allowed = descriptors.raise_limit()
    assert allowed == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256


def test_a_limit_that_cannot_be_raised_is_told_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    def refuse(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with capture_logs() as logs:
        assert descriptors.raise_limit() == 256
    assert logs[0]["event"] == "descriptors.limit"


@pytest.mark.parametrize(("open_files", "warned"), [(1024, True), (20_000, False), (resource.RLIM_INFINITY, False)])
def test_fewer_files_than_promised_connections_is_a_warning(open_files: int, warned: bool) -> None:
    with capture_logs() as logs:
        descriptors.check(open_files, 20_000)
    assert bool(logs) == warned

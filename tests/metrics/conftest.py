from __future__ import annotations

import pytest

from lasso_trio.routing.directory import Directory
from tests.metrics.scene import make_directory


@pytest.fixture
def directory() -> Directory:
    return make_directory()

"""docs/settings.md says of every variable what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lasso_trio.config.settings import KNOWN, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
DOCUMENTED = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([\w./]+)", PAGE, re.MULTILINE))
FIELDS = {"PHX_SERVER": "listen", "PHX_HOST": "public_host", "PHX_SCHEME": "public_scheme", "LASSO_ENV": "mode"}
CLUSTER = {"CLUSTER_DNS_QUERY", "CLUSTER_NODE_BASENAME", "CLUSTER_PORT", "CLUSTER_DNS_SERVER"}
FIELDS |= dict.fromkeys(CLUSTER, "cluster")
FIELDS |= {"LASSO_VM_METRICS_ENABLED": "vm_metrics", "LASSO_PROFILES_DIR": "profiles_dir", "LASSO_OTEL": "tracing"}
FIELDS |= {"LASSO_REDIS_URL": "redis", "LASSO_OTEL_PROPAGATE": "tracing"}


def test_every_variable_is_on_the_page_and_no_other() -> None:
    assert set(DOCUMENTED) == KNOWN | {"PORT", "PHX_SERVER", "PHX_HOST", "PHX_SCHEME", "SECRET_KEY_BASE"} | CLUSTER


@pytest.mark.parametrize("name", sorted(DOCUMENTED.keys() - {"LASSO_PROFILES_DIR"}))
def test_the_default_on_the_page_is_the_default(name: str) -> None:
    value = getattr(Settings.from_env({}), FIELDS.get(name, name.removeprefix("LASSO_").lower()))
    shown = DOCUMENTED[name]
    if isinstance(value, bool):
        assert shown in (str(value).lower(), "on" if value else "off")
    elif isinstance(value, int | float):
        assert float(shown) == value
    else:
        assert shown == (str(value) if value else "none")

"""Prometheus' own tool reads our rules, carries out their tests, and takes our page and our panels' queries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lasso_trio.telemetry.prometheus import TEXT
from tests.e2e.toolbox import ROOT, promtool
from tests.metrics.conftest import make_directory
from tests.metrics.test_readers import exporter_of

pytestmark = pytest.mark.e2e
FOLDER = ROOT / "deploy" / "prometheus"


def check(*args: str | Path, given: bytes = b"") -> None:
    done = subprocess.run([promtool(), *args], cwd=FOLDER, input=given, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_rules_are_rules() -> None:
    check("check", "rules", "lasso.rules.yml")


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    check("test", "rules", "lasso.rules.test.yml")


def test_the_panels_queries_are_promql(tmp_path: Path) -> None:
    panels = json.loads((ROOT / "deploy" / "grafana" / "lasso.json").read_text())["panels"]
    queries = [
        target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel.get("targets", ())
    ]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    check("check", "rules", tmp_path / "panels.yml")


async def test_the_page_has_nothing_to_find_fault_with() -> None:
    directory = make_directory()
    for instance in directory.registry.instances.values():
        for channel in instance.channels.values():
            channel.succeeded("eth_call", 0.01, 0.0)
    check("check", "metrics", given=(await exporter_of(directory).page(TEXT)).body)

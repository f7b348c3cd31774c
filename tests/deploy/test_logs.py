"""Rotation and retention: the files are what their readers expect, and logrotate really cuts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.deploy.tools import DEPLOY, checked, documents, tool

HERE: Final = DEPLOY / "logs"


def test_logrotate_sets_the_lines_aside_and_lets_the_node_write_on(tmp_path: Path) -> None:
    logrotate = tool("logrotate")
    tmp_path.chmod(0o755)
    log, rules = tmp_path / "lasso.log", tmp_path / "rules"
    rules.write_text((HERE / "lasso.logrotate").read_text().replace("/var/log/lasso", str(tmp_path)))
    rules.chmod(0o644)
    with log.open("ab", buffering=0) as node:
        node.write(b"one\n")
        checked(logrotate, "--force", "--state", tmp_path / "state", rules)
        node.write(b"two\n")
    assert log.read_bytes() == b"two\n"
    (aside,) = tmp_path.glob("lasso.log-*")
    assert aside.read_bytes() == b"one\n"


def test_containers_logs_are_bounded_on_docker_and_on_kubernetes() -> None:
    docker = json.loads((HERE / "docker-daemon.json").read_text())
    assert docker["log-driver"] == "json-file"
    assert {"max-size", "max-file"} <= docker["log-opts"].keys()
    (kubelet,) = documents((HERE / "kubelet.yaml").read_text())
    assert kubelet["kind"] == "KubeletConfiguration"
    assert {"containerLogMaxSize", "containerLogMaxFiles"} <= kubelet.keys()

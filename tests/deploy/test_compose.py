"""The compose files: valid, closed as the image allows, at one with each other, with nginx and with the settings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import pytest

from lasso_trio.config.settings import KNOWN, Settings
from tests.deploy.tools import DEPLOY, checked, documents, tool, variables
from tests.e2e import toolbox

HERE: Final = DEPLOY / "compose"
ONE: Final = HERE / "compose.yaml"
THREE: Final = HERE / "cluster.yaml"
OURS: Final = ("lasso-1", "lasso-2", "lasso-3")
IN_PROD: Final = {"LASSO_ENV", "LASSO_NODE_ID", "PHX_HOST", "SECRET_KEY_BASE"}


def services(path: Path) -> dict[str, Any]:
    (document,) = documents(path.read_text())
    found: dict[str, Any] = document["services"]
    return found


def nodes() -> list[dict[str, Any]]:
    three = services(THREE)
    return [services(ONE)["lasso"], *(three[name] for name in OURS)]


@pytest.mark.parametrize("path", [ONE, THREE], ids=lambda path: path.name)
def test_the_file_is_a_compose_file(path: Path) -> None:
    checked(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)


def test_every_node_is_closed_and_has_time_to_finish_its_calls() -> None:
    for node in nodes():
        assert node["read_only"] is True
        assert node["cap_drop"] == ["ALL"]
        assert node["security_opt"] == ["no-new-privileges:true"]
        assert int(node["stop_grace_period"].removesuffix("s")) > Settings().grace_s


def test_every_nodes_log_is_json_on_standard_output_and_rotated() -> None:
    for node in nodes():
        assert node["logging"]["driver"] == "json-file"
        assert {"max-size", "max-file"} <= node["logging"]["options"].keys()


def test_what_a_node_needs_in_production_is_asked_for() -> None:
    example = variables((HERE / "lasso.env.example").read_text())
    for node in nodes():
        given = example.keys() | node["environment"].keys()
        assert given >= IN_PROD
        assert {name for name in given if name.startswith("LASSO_")} <= KNOWN


def test_the_operators_port_is_published_on_this_machine_only() -> None:
    published = [
        port for file in (ONE, THREE) for service in services(file).values() for port in service.get("ports", ())
    ]
    assert [port for port in published if "4001" in port] == ["127.0.0.1:4001:4001"]
    assert not any("ports" in services(THREE)[name] for name in OURS)


def test_nodes_have_names_of_their_own_and_believe_nginx_alone() -> None:
    three = services(THREE)
    assert len({three[name]["environment"]["LASSO_NODE_ID"] for name in OURS}) == 3
    (aliases,) = {tuple(three[name]["networks"]["inside"]["aliases"]) for name in OURS}
    assert {three[name]["environment"]["CLUSTER_DNS_QUERY"] for name in OURS} == set(aliases)
    nginx = three["nginx"]["networks"]["inside"]["ipv4_address"]
    assert {three[name]["environment"]["LASSO_TRUSTED_PROXIES"] for name in OURS} == {f"{nginx}/32"}


def test_nginx_and_prometheus_know_every_node() -> None:
    upstreams = (HERE / "lasso-nodes.conf").read_text()
    assert re.findall(r"server (\S+?)[ ;]", upstreams) == [f"{n}:{port}" for port in (4000, 4001) for n in OURS]
    (prometheus,) = documents((HERE / "prometheus.yml").read_text())
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": [f"{name}:4001" for name in OURS]}]


def test_every_file_that_is_mounted_is_there() -> None:
    everything = [*services(ONE).values(), *services(THREE).values()]
    mounts = [mount for service in everything for mount in service.get("volumes", ())]
    shipped = {m.split(":")[0] for m in mounts if m.startswith(".")} - {"./tls"}
    assert shipped
    assert all((HERE / path).exists() for path in shipped)


def test_promtool_takes_the_configuration_of_prometheus() -> None:
    checked(tool("promtool"), "check", "config", "--syntax-only", HERE / "prometheus.yml")


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    server = (DEPLOY / "nginx" / "lasso.conf").read_text()
    server = re.sub(r"listen .*;", lambda _: f"listen 127.0.0.1:{toolbox.free_port()};", server)
    server = re.sub(r"    ssl_certificate.*\n", "", server)  # there is none; the real run has one
    server = server.replace("/var/log/nginx", str(tmp_path))
    upstreams = re.sub(r"lasso-\d:", "127.0.0.1:", (HERE / "lasso-nodes.conf").read_text())  # names of the network
    config = tmp_path / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(f"{user} pid {tmp_path}/pid; events {{}} http {{ access_log off; {upstreams} {server} }}")
    told = checked(toolbox.nginx(), "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", config)
    assert "test is successful" in told

"""The Kubernetes manifests, as `kubectl kustomize` makes them of base, components and the production overlay."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from lasso_trio.config.settings import KNOWN, Settings
from tests.deploy.tools import DEPLOY, checked, documents, tool, variables

HERE: Final = DEPLOY / "kubernetes"
OVERLAY: Final = Path("overlays", "production")
PROBES: Final = {
    "livenessProbe": ("/api/health", 10, 5, 3, 30),
    "readinessProbe": ("/api/ready", 5, 3, 2, 10),
}
"""The checklist's: path, period, timeout, failures, initial delay."""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    kubectl = tool("kubectl")
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(HERE, folder)
    (folder / OVERLAY / "secrets.env.example").rename(folder / OVERLAY / "secrets.env")
    return checked(kubectl, "kustomize", folder / OVERLAY)


@pytest.fixture(scope="module")
def objects(text: str) -> dict[str, Any]:
    """By kind and name, the hash of what a name stands for left out."""
    named = {}
    for each in documents(text):
        name = re.sub(r"-[0-9a-z]{10}$", "", each["metadata"]["name"])
        named[f"{each['kind']}/{name}"] = each
    return named


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = objects["StatefulSet/lasso"]["spec"]["template"]
    return template


@pytest.fixture(scope="module")
def node(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    return dict(container)


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def test_the_manifests_keep_to_the_schemas(text: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(text)
    told = checked(tool("kubernetes-validate"), "--strict", tmp_path / "all.yaml")
    assert told.count("passed for resource") == text.count("\nkind:") + text.startswith("kind:") - 1  # ServiceMonitor


def test_the_probes_are_the_checklists(node: dict[str, Any]) -> None:
    names = ("periodSeconds", "timeoutSeconds", "failureThreshold", "initialDelaySeconds")
    found = {kind: (node[kind]["httpGet"]["path"], *(node[kind][name] for name in names)) for kind in PROBES}
    assert found == PROBES


def test_a_node_runs_as_nobody_special_on_a_file_system_it_cannot_write(
    pod: dict[str, Any], node: dict[str, Any]
) -> None:
    context = pod["spec"]["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert node["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_node_has_time_to_finish_its_calls(pod: dict[str, Any], node: dict[str, Any]) -> None:
    before = int(node["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] > before + Settings().grace_s


def test_whoever_selects_nodes_selects_these(objects: dict[str, Any], pod: dict[str, Any]) -> None:
    labels = pod["metadata"]["labels"]
    for name in ("Service/lasso", "Service/lasso-operators", "Service/lasso-nodes"):
        assert selects(objects[name]["spec"]["selector"], labels), name
    for name in ("StatefulSet/lasso", "PodDisruptionBudget/lasso"):
        assert selects(objects[name]["spec"]["selector"]["matchLabels"], labels), name
    policy = objects["NetworkPolicy/lasso"]["spec"]
    assert selects(policy["podSelector"]["matchLabels"], labels)
    assert objects["HorizontalPodAutoscaler/lasso"]["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    assert objects["StatefulSet/lasso"]["spec"]["serviceName"] == objects["Service/lasso-nodes"]["metadata"]["name"]
    assert objects["Service/lasso-nodes"]["spec"]["clusterIP"] == "None"
    domain = f"lasso-nodes.{objects['Namespace/lasso']['metadata']['name']}.svc.cluster.local"
    assert objects["ConfigMap/lasso-settings"]["data"]["CLUSTER_DNS_QUERY"] == domain


def test_prometheus_finds_the_operators_service(objects: dict[str, Any]) -> None:
    monitor, service = objects["ServiceMonitor/lasso"]["spec"], objects["Service/lasso-operators"]
    assert selects(monitor["selector"]["matchLabels"], service["metadata"]["labels"])
    assert not selects(monitor["selector"]["matchLabels"], objects["Service/lasso"]["metadata"]["labels"])
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_clients_reach_the_calls_port_only(objects: dict[str, Any], node: dict[str, Any]) -> None:
    assert {port["name"]: port["containerPort"] for port in node["ports"]} == {"http": 4000, "operators": 4001}
    clients, monitoring, among_nodes = objects["NetworkPolicy/lasso"]["spec"]["ingress"]
    assert clients["ports"] == [{"port": 4000}]
    assert monitoring["ports"] == [{"port": 4001}]
    assert [set(who) for who in among_nodes["from"]] == [{"podSelector"}]
    paths = objects["Ingress/lasso"]["spec"]["rules"][0]["http"]["paths"]
    assert [path["backend"]["service"]["name"] for path in paths] == ["lasso"]


def test_what_a_node_needs_in_production_is_given(objects: dict[str, Any], node: dict[str, Any]) -> None:
    sources = [next(iter(source.values()))["name"] for source in node["envFrom"]]
    settings, secrets = objects["ConfigMap/lasso-settings"], objects["Secret/lasso-secrets"]
    assert sources == [settings["metadata"]["name"], secrets["metadata"]["name"]]
    given = {**settings["data"], **secrets["data"]}.keys() | {entry["name"] for entry in node["env"]}
    assert given >= {"LASSO_ENV", "LASSO_NODE_ID", "PHX_HOST", "SECRET_KEY_BASE"}
    assert {name for name in given if name.startswith("LASSO_")} <= KNOWN


def test_the_overlays_profiles_need_no_secret_that_it_does_not_ask_for(objects: dict[str, Any]) -> None:
    profiles = "".join(objects["ConfigMap/lasso-profiles"]["data"].values())
    asked = variables((HERE / OVERLAY / "secrets.env.example").read_text())
    assert set(re.findall(r"\$\{(\w+)\}", profiles)) <= asked.keys()

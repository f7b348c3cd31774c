"""The `CLUSTER_…` variables: both names, neither, or a mistake that says so."""

from __future__ import annotations

import pytest

from lasso_trio.config.cluster_terms import ClusterTerms, read
from lasso_trio.config.report import Report
from lasso_trio.config.variables import Variables

BOTH = {"CLUSTER_DNS_QUERY": "lasso.internal", "CLUSTER_NODE_BASENAME": "lasso", "SECRET_KEY_BASE": "s" * 64}


def told(environ: dict[str, str]) -> tuple[ClusterTerms | None, list[str]]:
    report = Report("environment")
    terms = read(Variables(environ, report))
    return terms, [problem.what for problem in report.problems]


def test_neither_is_a_lone_node_and_both_are_a_cluster() -> None:
    assert told({}) == (None, [])
    assert told({"CLUSTER_PORT": "4001"}) == (None, [])
    assert told(BOTH) == (ClusterTerms("lasso.internal", "lasso"), [])


@pytest.mark.parametrize("missing", ["CLUSTER_DNS_QUERY", "CLUSTER_NODE_BASENAME"])
def test_one_alone_is_an_error_that_names_the_other(missing: str) -> None:
    terms, problems = told({name: value for name, value in BOTH.items() if name != missing})
    assert terms is None
    assert len(problems) == 1
    assert f"{missing} is not" in problems[0]


def test_what_nodes_tell_must_be_signed() -> None:
    (problem,) = told({**BOTH, "SECRET_KEY_BASE": ""})[1]
    assert "SECRET_KEY_BASE is required" in problem


@pytest.mark.parametrize(
    ("written", "server"),
    [
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("::1", ("::1", 53)),
    ],
)
def test_a_dns_server_is_an_address_and_a_port(written: str, server: tuple[str, int]) -> None:
    terms, problems = told({**BOTH, "CLUSTER_DNS_SERVER": written, "CLUSTER_PORT": "4001"})
    assert problems == []
    assert terms == ClusterTerms("lasso.internal", "lasso", 4001, server)
    assert server[0] in str(terms)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLUSTER_DNS_SERVER", "dns.internal:53"),
        ("CLUSTER_DNS_SERVER", "10.0.0.2:0"),
        ("CLUSTER_DNS_SERVER", "10.0.0.2:70000"),
        ("CLUSTER_DNS_SERVER", "10.0.0.2:dns"),
        ("CLUSTER_PORT", "0"),
        ("CLUSTER_DNS_QUERY", "http://lasso"),
        ("CLUSTER_NODE_BASENAME", "lasso@here"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    problems = told({**BOTH, name: value})[1]
    assert len(problems) == 1
    assert problems[0].startswith(name)

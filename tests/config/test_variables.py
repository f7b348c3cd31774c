from __future__ import annotations

import pytest

from lasso_trio.config.report import Report
from lasso_trio.config.variables import Variables


def of(**environ: str) -> Variables:
    return Variables(environ, Report("environment"))


def test_an_empty_variable_is_unset() -> None:
    variables = of(A="", B="  ")
    assert variables.get("A") is None
    assert variables.integer("B", 5) == 5
    assert variables.boolean("A", True) is True
    assert variables.report.problems == []


@pytest.mark.parametrize("written", ["x", "-1", "1.5", "0x1", "1e3", "٣", "9" * 5000, "11"])
def test_integers_outside_their_span_are_reported(written: str) -> None:
    variables = of(A=written)
    assert variables.integer("A", 5, least=1, most=10) == 5
    assert variables.report.problems[0].what.startswith("A must be an integer from 1 to 10, found ")


@pytest.mark.parametrize("written", ["nan", "inf", "-0.1", "1.1", "x"])
def test_numbers_outside_their_span_are_reported(written: str) -> None:
    variables = of(A=written)
    assert variables.number("A", 0.5, most=1.0) == 0.5
    assert variables.report.problems[0].what == f"A must be a number from 0 to 1, found {written!r}"


@pytest.mark.parametrize(("written", "meant"), [("true", True), ("1", True), ("FALSE", False), ("0", False)])
def test_booleans(written: str, meant: bool) -> None:
    assert of(A=written).boolean("A", not meant) is meant


@pytest.mark.parametrize("written", ["yes", "on", "2", "tru"])
def test_other_words_are_no_booleans(written: str) -> None:
    variables = of(A=written)
    variables.boolean("A", True)
    assert variables.report.problems[0].what == f"A must be true or false (or 1 or 0), found {written!r}"


@pytest.mark.parametrize("written", ["rpc.example.com", "127.0.0.1", "[::1]", "us-east-1.rpc.example.com", "x"])
def test_hosts(written: str) -> None:
    assert of(A=written).host("A", "localhost") == written


@pytest.mark.parametrize("written", ["https://rpc.example.com", "rpc.example.com:80", "a b", "a/b", "-a", "a\nb"])
def test_what_is_more_than_a_host_is_reported(written: str) -> None:
    variables = of(A=written)
    assert variables.host("A", "localhost") == "localhost"
    assert len(variables.report.problems) == 1


def test_networks_are_cidrs_or_addresses_separated_by_commas() -> None:
    networks = of(A="10.0.0.0/8, 192.168.1.1,,::1 ,fd00::/8").networks("A")
    assert [str(network) for network in networks] == ["10.0.0.0/8", "192.168.1.1/32", "::1/128", "fd00::/8"]


def test_each_bad_network_is_reported_and_the_others_are_kept() -> None:
    variables = of(A="10.0.0.1/8,nonsense,10.0.0.0/8")
    assert len(variables.networks("A")) == 1
    assert len(variables.report.problems) == 2

"""The variables of OpenTelemetry mean what its specification says."""

from __future__ import annotations

import pytest

from lasso_trio.config.settings import Settings
from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.errors import ConfigError

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}


def terms(**variables: str) -> TracingTerms | None:
    return Settings.from_env(variables).tracing


def on(**variables: str) -> TracingTerms:
    found = terms(**HERE, **variables)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("variables", "is_on"),
    [
        ({}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, True),
        ({"LASSO_OTEL": "on"}, True),
        ({**HERE, "LASSO_OTEL": "off"}, False),
        ({**HERE, "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_tracing_is_on_when_it_is_asked_for(variables: dict[str, str], is_on: bool) -> None:
    assert (terms(**variables) is not None) == is_on


def test_the_usual_collector_is_on_this_machine() -> None:
    usual = terms(LASSO_OTEL="on")
    assert usual is not None
    assert usual.endpoint.reveal() == "http://localhost:4318/v1/traces"
    assert (usual.service, usual.sampler, usual.ratio) == ("lasso", "parentbased_always_on", 1.0)


def test_an_endpoint_for_all_signals_gets_the_path_and_one_for_traces_does_not() -> None:
    assert on().endpoint.reveal() == "http://collector:4318/v1/traces"
    own = on(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://c/own?k=1")
    assert own.endpoint.reveal() == "https://c/own?k=1"


@pytest.mark.parametrize(
    ("sampler", "ratio"),
    [
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, 1.0),
    ],
)
def test_the_sampler_says_which_share_is_kept(sampler: dict[str, str], ratio: float) -> None:
    assert on(**sampler).ratio == ratio


def test_attributes_and_headers_are_pairs_percent_encoded() -> None:
    found = on(
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment=prod%20eu, service.name=edge,nothing,=x",
        OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic%20abc,x-team = a=b",
    )
    assert (found.service, found.attributes) == ("edge", {"deployment.environment": "prod eu"})
    assert found.header_fields() == {"Authorization": "Basic abc", "x-team": "a=b"}
    assert "abc" not in repr(found)


def test_the_services_name_has_its_own_variable_first() -> None:
    assert on(OTEL_SERVICE_NAME="one", OTEL_RESOURCE_ATTRIBUTES="service.name=two").service == "one"


def test_the_headers_of_traces_win() -> None:
    found = on(OTEL_EXPORTER_OTLP_HEADERS="a=1", OTEL_EXPORTER_OTLP_TRACES_HEADERS="b=2")
    assert found.header_fields() == {"b": "2"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:port/"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **HERE},
        {"OTEL_TRACES_SAMPLER": "jaeger_remote", **HERE},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2", **HERE},
        {"LASSO_OTEL": "perhaps"},
    ],
)
def test_what_cannot_be_used_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        terms(**wrong)

"""Whether calls are traced, which of them, and where spans go: `LASSO_OTEL` and the `OTEL_…` variables, with the names
and defaults of the OpenTelemetry specification (Environment Variable Specification, OTLP Exporter Configuration).

On when an endpoint is given or when `LASSO_OTEL=on`. A variable that cannot be read stops the start, as ours do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

import attrs

from lasso_trio.config.secret import Secret
from lasso_trio.config.variables import Variables

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HEADERS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
USUAL_ENDPOINT: Final = "http://localhost:4318"
PATH: Final = "/v1/traces"
SAMPLERS: Final = (
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
)
_CERTAIN: Final = {"always_on": 1.0, "always_off": 0.0}


@attrs.frozen
class TracingTerms:
    """`endpoint`: where spans are posted to, path and all; it and `headers` may hold keys.

    `ratio`: the share of traces that are kept where nobody has decided before.
    """

    endpoint: Secret
    headers: Secret = attrs.field(factory=lambda: Secret(""))
    service: str = "lasso"
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    sampler: str = SAMPLERS[0]
    ratio: float = 1.0
    propagate: bool = False
    """Providers are sent `traceparent` and `tracestate`. Off: who asks for what is nobody else's business."""

    def header_fields(self) -> dict[str, str]:
        return dict(_pairs(self.headers.reveal()))


def read(variables: Variables) -> TracingTerms | None:
    """None: calls are not traced. Mistakes go to the variables' report."""
    propagate = variables.choice("LASSO_OTEL_PROPAGATE", ("on", "off"), "off") == "on"
    if not _asked_for(variables):
        return None
    sampler = variables.choice("OTEL_TRACES_SAMPLER", SAMPLERS, SAMPLERS[0])
    _check_protocol(variables)
    attributes = _attributes(variables)
    service = variables.get("OTEL_SERVICE_NAME") or attributes.pop("service.name", "lasso")
    headers = next((found for name in HEADERS if (found := variables.get(name))), "")
    endpoint, ratio = _endpoint(variables), _ratio(variables, sampler)
    return TracingTerms(endpoint, Secret(headers), service, attributes, sampler, ratio, propagate)


def _asked_for(variables: Variables) -> bool:
    wanted = variables.choice("LASSO_OTEL", ("on", "off"), "")
    if (variables.get("OTEL_SDK_DISABLED") or "").lower() == "true":
        return False
    if wanted:
        return wanted == "on"
    return variables.get(ENDPOINT) is not None or variables.get(TRACES_ENDPOINT) is not None


def _endpoint(variables: Variables) -> Secret:
    name = TRACES_ENDPOINT if variables.get(TRACES_ENDPOINT) else ENDPOINT
    url = variables.get(name) or USUAL_ENDPOINT
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        good = False
    if not good:
        variables.report.add(None, f"{name} must be a URL that begins with http:// or https://")
    return Secret(url if name == TRACES_ENDPOINT else url.rstrip("/") + PATH)


def _check_protocol(variables: Variables) -> None:
    for name in PROTOCOLS:
        value = variables.get(name)
        if value is not None and value != "http/protobuf":
            variables.report.add(None, f"{name} must be http/protobuf, found {value[:40]!r}")


def _ratio(variables: Variables, sampler: str) -> float:
    kind = sampler.removeprefix("parentbased_")
    return _CERTAIN[kind] if kind in _CERTAIN else variables.number("OTEL_TRACES_SAMPLER_ARG", 1.0, most=1.0)


def _attributes(variables: Variables) -> dict[str, str]:
    return dict(_pairs(variables.get("OTEL_RESOURCE_ATTRIBUTES") or ""))


def _pairs(text: str) -> list[tuple[str, str]]:
    """`name=value`, separated by commas, percent-encoded as in W3C Baggage. What is no pair is passed over."""
    pairs = [part.partition("=") for part in text.split(",")]
    return [(name.strip(), unquote(value.strip())) for name, equals, value in pairs if equals and name.strip()]

"""`/metrics` of a running node: what prometheus-client reads out of it agrees with what the clients did."""

from __future__ import annotations

import gzip

from prometheus_client.parser import text_string_to_metric_families

from lasso_trio.devnet import Failure, Faults, Kind
from tests.surface.conftest import Start, Surface

Labels = tuple[tuple[str, str], ...]


async def scrape(surface: Surface) -> dict[tuple[str, Labels], float]:
    answer = await surface.get("/metrics")
    assert (answer.status, answer["content-type"].split(";")[0]) == (200, "text/plain")
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def total(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    """Of all lines of that name with these labels."""
    return sum(value for (its, own), value in found.items() if its == name and set(labels.items()) <= set(own))


async def test_calls_attempts_and_latencies_agree(start: Start) -> None:
    surface = await start(alpha=Faults(failures=(Failure(Kind.HTTP, status=503),)), beta=Faults())
    for _ in range(5):
        await surface.ask("eth_gasPrice", path="/rpc/priority/devnet")
    found = await scrape(surface)
    assert total(found, "lasso_calls_total", chain="devnet") == 5
    assert total(found, "lasso_call_errors_total") == 0
    assert total(found, "lasso_attempts_answered_total", provider="beta") == 5
    assert total(found, "lasso_attempts_failed_total", provider="alpha") >= 1
    assert total(found, "lasso_failovers_total") == total(found, "lasso_attempts_total", provider="alpha")
    counted = total(found, "lasso_upstream_latency_seconds_count", method="eth_gasPrice")
    assert counted == 5 == total(found, "lasso_upstream_latency_seconds_bucket", method="eth_gasPrice", le="+Inf")
    assert total(found, "lasso_ready") == 1
    assert total(found, "lasso_door_requests_total") == 5


async def test_a_broken_provider_is_told_as_unavailable(start: Start) -> None:
    surface = await start(alpha=Faults(), beta=Faults())
    for candidate in next(surface.app.directory.chains()).candidates:
        if candidate.provider.id == "alpha":
            candidate.channel.breaker.quarantine("test", 0.0)
    found = await scrape(surface)
    assert total(found, "lasso_provider_available", profile="public", provider="alpha") == 0
    assert total(found, "lasso_provider_available", profile="public", provider="beta") == 1
    assert total(found, "lasso_chain_providers_available", profile="public") == 1
    assert total(found, "lasso_breaker_state", state="open") == 1


async def test_openmetrics_and_gzip_for_those_who_ask(start: Start) -> None:
    surface = await start(alpha=Faults())
    fields = {"accept": "application/openmetrics-text;version=1.0.0", "accept-encoding": "gzip"}
    answer = await surface.get("/metrics", fields)
    assert answer["content-type"].startswith("application/openmetrics-text")
    assert answer["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body).endswith(b"# EOF\n")


async def test_metrics_are_not_on_the_main_port_when_operators_have_their_own(start: Start) -> None:
    surface = await start(settings={"ops_port": 0}, alpha=Faults())
    assert (await surface.get("/metrics")).status == 404
    assert surface.app.operators.own is not None
    surface.port = surface.app.operators.own.listeners[0].port
    assert total(await scrape(surface), "lasso_ready") == 1

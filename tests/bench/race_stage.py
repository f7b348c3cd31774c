"""The race's programs: the providers and the Lassos in front of them, what they counted, and how they are slowed.

Lasso is at its defaults, with its probers on: the providers are a chain, as far as anybody can see.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from typing import TypeVar

import attrs
import msgspec
from machine import ROOT
from race_figures import Hedges
from race_variants import CHAIN, CHAIN_ID, Variant, faults
from targets import HERE, NotStarted, Stage, Target, free_port, pin_to

HEDGE_ON, HEDGE_OFF = "hedge-on", "hedge-no"
"""As long as each other: the calls of one are no bytes longer than the other's."""
COUNTED = "eth_getBalance"
"""The method of the benchmark's calls: probers do not use it."""

PROFILE = """---
name: {slug}
slug: {slug}
rps_limit: 10000000
burst_limit: 10000000
---
chains:
  {chain}:
    chain_id: {chain_id}
    name: Race
    block_time_ms: 2000
"""
HEDGE = "    routing:\n      hedge: {hedge}\n"
PATIENCE = "    routing:\n      method_overrides:\n        {method}:\n          timeout_ms: {timeout_ms}\n"
PROVIDER = "      - id: {name}\n        url: {url}\n"

Told = TypeVar("Told")


@attrs.frozen
class ProviderState:
    calls: dict[str, int]


@attrs.frozen
class DevnetState:
    """What we read of the devnet's `/state`."""

    providers: dict[str, ProviderState]


@attrs.frozen
class Metrics:
    """What we read of Lasso's `/api/metrics/:chain`."""

    hedges: Hedges | None = None


@attrs.define
class RaceStage(Stage):
    """`providers` by name, once they are started."""

    providers: dict[str, str] = attrs.field(factory=dict)
    admin: str = ""

    def start_providers(self) -> None:
        command = [sys.executable, str(HERE / "race_providers.py")]
        environment = {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=pin_to(self.cores.load))
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise NotStarted("the providers ended at once")
        self.providers = json.loads(line)
        self.admin = self.providers.pop("admin")

    def slow(self, factor: float) -> None:
        """All providers from now on."""
        for name, its in faults(factor).items():
            post(f"{self.admin}/providers/{name}/faults", its.to_json())

    def arrived(self) -> int:
        """How many of the benchmark's calls the providers have received."""
        state = fetch(f"{self.admin}/state", DevnetState)
        return sum(provider.calls.get(COUNTED, 0) for provider in state.providers.values())

    def racing_lasso(self, variant: Variant) -> Target:
        return self._lasso(variant.name, {"public": patience(variant.timeout_ms)}, self.providers)

    def cost_lasso(self) -> Target:
        """Two profiles that differ in nothing but hedging, in front of the benchmark's cheap upstream."""
        urls = {f"p{n}": f"http://127.0.0.1:{self.plain_port}/p{n}" for n in (1, 2, 3)}
        slugs = {"public": "", HEDGE_ON: HEDGE.format(hedge="on"), HEDGE_OFF: HEDGE.format(hedge="off")}
        return self._lasso("cost", slugs, urls, {"LASSO_PROBES": "off"})

    def _lasso(
        self, name: str, routings: Mapping[str, str], urls: Mapping[str, str], env: Mapping[str, str] | None = None
    ) -> Target:
        """`routings`: for each profile's slug, its chain's `routing` as YAML, empty for none."""
        folder, port = self.folder / name, free_port()
        folder.mkdir()
        for slug, routing in routings.items():
            (folder / f"{slug}.yml").write_text(profile_text(slug, routing, urls), encoding="utf-8")
        command = [sys.executable, "-m", "lasso_trio", "serve", "--port", port, "--profiles", folder]
        env = {"PYTHONPATH": str(ROOT), **(env or {})}
        return self._start(name, f"http://127.0.0.1:{port}", command, probe=f"/rpc/fastest/{CHAIN}", env=env)


def patience(timeout_ms: int | None) -> str:
    """A chain's `routing` that gives the benchmark's calls so much time; nothing for None."""
    return PATIENCE.format(method=COUNTED, timeout_ms=timeout_ms) if timeout_ms else ""


def profile_text(slug: str, routing: str, urls: Mapping[str, str]) -> str:
    """`routing`: the chain's, as YAML at its place, or empty."""
    head = PROFILE.format(slug=slug, chain=CHAIN, chain_id=CHAIN_ID)
    listed = "".join(PROVIDER.format(name=name, url=url) for name, url in urls.items())
    return f"{head}{routing}    providers:\n{listed}"


def hedges_of(target: Target) -> Hedges | None:
    """Lasso's own counts; None when it does not tell them."""
    return fetch(f"{target.base}/api/metrics/{CHAIN}", Metrics).hedges


def fetch(url: str, shape: type[Told]) -> Told:
    """What the JSON there tells of `shape`; the rest of it is passed over."""
    with urllib.request.urlopen(url, timeout=10) as reply:
        return msgspec.json.decode(reply.read(), type=shape)


def post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        reply.read()

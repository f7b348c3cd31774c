"""`lasso demo`: a node in front of a simulated chain with four providers, each bad in its own way. No network is
needed.

The profile is the shipped `demo.yml`, pointed at the ports that the simulated providers really have.
"""

from __future__ import annotations

from typing import Final

import structlog
import trio

from lasso_trio import descriptors
from lasso_trio.app import App
from lasso_trio.config.loader import load_profile_text, shipped_directory
from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from lasso_trio.devnet import Devnet, demo_network
from lasso_trio.devnet.demo import ADMIN_PORT, BASE_PORT
from lasso_trio.serving import run, tell_calls, watch_signals
from lasso_trio.telemetry.log import Log, configure
from lasso_trio.telemetry.loop import settle_memory

logger = structlog.get_logger(__name__)

_WELCOME: Final = """\
lasso demo: one simulated chain (id 31337, a block every 2 s) behind four simulated providers

  proxy      {proxy}/rpc/demo                 load-balanced, the default
             {proxy}/rpc/fastest/demo         also: latency-weighted, priority, load-balanced
{providers}
  faults     {admin}/state               what they do wrong, and how to change it

  try        curl -s '{proxy}/rpc/fastest/demo?include_meta=body' \\
               -d '{{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}}'
  look at    {proxy}/dashboard                who is asked, how fast, how well; break a provider and see
             {proxy}/api/metrics/demo         the same as JSON; {proxy}/metrics for Prometheus
             {proxy}/api/health

Every call is a line below. Ctrl-C stops it.
"""
_CHARACTERS: Final = {
    "steady": "what one wishes for",
    "flaky": "fails and stalls now and then",
    "throttled": "refuses more than 20 requests a second",
    "lagging": "six blocks behind",
}


async def _main(settings: Settings, base_port: int, log: Log) -> None:
    async with trio.open_nursery() as root:
        net = demo_network(base_port, ADMIN_PORT + base_port - BASE_PORT if base_port else 0)
        await root.start(net.run)
        profile = demo_profile(net)
        logger.info(f"Loaded profile: {profile.slug}")
        app = App.make(settings, ProfileSet.of([profile]), tell_calls(log, settings))
        await root.start(watch_signals, app)
        await root.start(app.run)
        settle_memory()
        print(welcome(app.addresses[0] if app.addresses else "(no listener)", net), flush=True)  # noqa: T201
        await app.stopped.wait()
        root.cancel_scope.cancel()


def demo_profile(net: Devnet) -> Profile:
    """The shipped demo profile over the ports of `net`."""
    file = shipped_directory() / "demo.yml"
    text = file.read_text(encoding="utf-8")
    for offset, name in enumerate(_CHARACTERS):
        text = text.replace(f"//127.0.0.1:{BASE_PORT + offset}\n", f"//{net.url(name).removeprefix('http://')}\n")
    return load_profile_text(text, str(file), {})


def welcome(proxy: str, net: Devnet) -> str:
    """What a newcomer needs to see: where things are, a line to paste, what to look at."""
    rows = [f"{net.url(name):<30} {net.ws_url(name):<30} {what}" for name, what in _CHARACTERS.items()]
    providers = "\n".join(f"  {name:<10} {row}" for name, row in zip(_CHARACTERS, rows, strict=True))
    return _WELCOME.format(proxy=proxy, providers=providers, admin=f"http://127.0.0.1:{net.admin_port}")


def demo(settings: Settings, base_port: int) -> int:
    """Run the demo until it is told to stop. Returns the exit code. Raises OSError when a port cannot be had."""
    log = configure(level=settings.log_level, format=settings.log_format.value)
    try:
        descriptors.raise_limit()
        run(_main, settings, base_port, log)
    finally:
        log.close()
    return 0

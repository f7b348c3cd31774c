"""Simulated providers in a process of their own: one chain that stands still, and each with its range for eth_getLogs.

As a program it serves what its arguments say (`height name=range …`) and prints the URLs as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e.toolbox import ROOT


@contextmanager
def running(height: int, log_ranges: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """Providers at `height`, by the most blocks that one eth_getLogs may ask them for: their URLs by name."""
    wanted = [f"{name}={most}" for name, most in log_ranges.items()]
    command = [sys.executable, "-m", "tests.e2e.devnet", str(height), *wanted]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def serve(height: int, log_ranges: Mapping[str, int]) -> None:
    faults = {name: Faults(log_range=most) for name, most in log_ranges.items()}
    async with Devnet.open(faults, chain=Chain(block_time=None, start_height=height)) as net:
        print(json.dumps({name: net.url(name) for name in log_ranges}), flush=True)  # noqa: T201
        await trio.sleep_forever()


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[2:])
    trio.run(serve, int(sys.argv[1]), {name: int(most) for name, most in pairs})

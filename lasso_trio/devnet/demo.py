"""The devnet of `lasso demo`: one chain behind four providers, each bad in its own way.

`steady` is what one wishes for, `flaky` fails and stalls now and then, `throttled` refuses more than 20 requests a
second, `lagging` is six blocks behind.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import attrs

from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.faults import Failure, Faults, Kind, Latency
from lasso_trio.devnet.network import Devnet

CHAIN_ID: Final = 31337
CHAIN_NAME: Final = "demo"
BASE_PORT: Final = 18545
ADMIN_PORT: Final = 18540
BLOCK_TIME_S: Final = 2.0
START_HEIGHT: Final = 1000

FAULTS: Final = {
    "steady": Faults(latency=Latency.lognormal(8, 0.25)),
    "flaky": Faults(
        latency=attrs.evolve(Latency.lognormal(12, 0.6), stall_share=0.02, stall_ms=2500),
        failures=(
            Failure(Kind.HTTP, share=0.06, status=500),
            Failure(Kind.RESET, share=0.02),
            Failure(Kind.HTTP, share=0.01, status=502),
        ),
    ),
    "throttled": Faults(latency=Latency.lognormal(10, 0.3), rps=20),
    "lagging": Faults(latency=Latency.lognormal(15, 0.4), lag=6),
}


def demo_network(base_port: int = BASE_PORT, admin_port: int | None = ADMIN_PORT, *, seed: int = 0) -> Devnet:
    """The demo's devnet, not yet running: `await nursery.start(net.run)`.

    Providers take `base_port` and the next three in the order of `FAULTS`. 0 lets the system choose every port, the
    admin endpoint's too; then read `url`, `ws_url` and `admin_port` of the started devnet. Blocks bear the wall clock's
    time.
    """
    epoch = int(datetime.now(UTC).timestamp() - START_HEIGHT * BLOCK_TIME_S)
    chain = Chain(CHAIN_ID, BLOCK_TIME_S, START_HEIGHT, epoch)
    ports = {name: base_port + i if base_port else 0 for i, name in enumerate(FAULTS)}
    admin_port = admin_port if base_port or admin_port is None else 0
    return Devnet.make(FAULTS, chain=chain, ports=ports, admin_port=admin_port, seed=seed)

"""What each part of a call costs by itself: `python tests/bench/parts.py`. CPU µs, best of seven runs, no sockets.

In isolation everything is warm, so a part costs less here than inside a call; use it to compare parts with each other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

import trio

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.reply import check, encode_request
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.server.http_request import RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.telemetry.call_record import CallLog, CallRecord, CallScope, encode_candidates, json_line
from lasso_trio.telemetry.log import configure
from lasso_trio.upstream.http1 import Pool

PARAMS = b'["0x00000000000000000000000000000000000000aa","latest"]'
BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":%b}' % PARAMS
HTTP = b"POST /rpc/fastest/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
REPLY = b'{"jsonrpc":"2.0","id":7,"result":"0x12a05f2"}'
ROUNDS = 20_000


def cost(part: Callable[[], object]) -> float:
    """CPU µs per call of `part`, the best of seven."""
    best = float("inf")
    for _ in range(7):
        begun = time.process_time()
        for _ in range(ROUNDS):
            part()
        best = min(best, time.process_time() - begun)
    return best / ROUNDS * 1e6


def providers(n: int) -> tuple[Provider, ...]:
    return tuple(Provider(f"p{i}", f"p{i}", f"1:p{i}", SecretUrl(f"http://127.0.0.1:{20000 + i}")) for i in range(n))


async def main() -> None:
    print(f"{'part':<44} µs")
    for name, part in parts():
        print(f"{name:<44} {cost(part):.2f}")


def parts() -> list[tuple[str, Callable[[], object]]]:
    chain = Chain("x", 1, "x", providers(3))
    profile = Profile("x", "x", (chain,), rps_limit=10**9, burst_limit=10**9)
    directory = Directory.of(ProfileSet.of([profile]), Registry(Pool))
    routed, limit, rng, now = directory.default.chains[0], directory.default.limit, Random(1), trio.current_time()
    request = decode(BODY)
    assert isinstance(request, Request)
    method, channel = request.method, routed.candidates[0].channel
    reader, wire = RequestReader(LaneLimits()), HTTP % (len(BODY), BODY)
    log = CallLog(configure(level="info", format="json", fd=os.open(os.devnull, os.O_WRONLY)))
    scope = CallScope("x", "fastest", "x", 1, encode_candidates(["p0:http", "p1:http", "p2:http"]))

    def take() -> None:
        reader.feed(wire)
        assert reader.next() is not None

    def plan() -> None:
        routed.plan(method, request.params, now, Strategy.FASTEST).first(rng, True)

    def success() -> None:
        channel.admit(now)
        channel.succeeded(method.row, 0.01, now)

    def record() -> CallRecord:
        return CallRecord(scope, "id", "http", method.name, True, "p0", "http", "r", 0, "closed", 0.1, 0.1, 0.2, 34, 11)

    def scope_with_deadline() -> None:
        with trio.CancelScope(deadline=now + 3600):  # noqa: ASYNC100 (what it costs is the question)
            pass

    return [
        ("request: head (cached) and body", take),
        ("JSON-RPC request: decode", lambda: decode(BODY)),
        ("client limit", lambda: limit.take("127.0.0.1", 1, now)),
        ("plan (cached) and first choice", plan),
        ("JSON-RPC request: encode for the upstream", lambda: encode_request(7, method.raw, request.params)),
        ("JSON-RPC reply: check and exchange the id", lambda: check(REPLY, 7).splice(b"1")),
        ("breaker, evidence, counters", success),
        ("log record, on the loop", lambda: log.push(record()) if log.wants(False, 0.1) else None),
        ("log record, in the writer thread", lambda: json_line(record())),
        ("(a cancel scope with a deadline, not used)", scope_with_deadline),
        ("(a checkpoint's clock: trio.current_time)", trio.current_time),
    ]


if __name__ == "__main__":
    trio.run(main)

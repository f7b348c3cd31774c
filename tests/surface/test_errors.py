"""What a client is told when it cannot be served: the catalogue, entry by entry."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
import trio

from lasso_trio.config.profile import MethodOverride, Routing
from lasso_trio.devnet import Failure, Faults, Kind
from tests.surface.conftest import Script, Start, Surface, reply

HUNG = Faults(failures=(Failure(Kind.HANG),))


def rpc_error(code: int, message: str, data: object = None, **more: object) -> Faults:
    return Faults(failures=(Failure(Kind.RPC, code=code, message=message, data=data, **more),))  # type: ignore[arg-type]


# Where to


@pytest.mark.parametrize("slug", ["nope", "PUBLIC", "default ", "é"])
async def test_an_unknown_profile(surface: Surface, slug: str) -> None:
    from urllib.parse import quote

    answer = await surface.ask("eth_chainId", path=f"/rpc/profile/{quote(slug)}/devnet", id=5)
    assert (answer.status, answer.json["id"]) == (404, None)
    expected = {"code": -32000, "message": f"Profile '{slug}' not found", "data": {"error_type": "profile_not_found"}}
    assert answer.error == expected


@pytest.mark.parametrize("slug", ["", "%20", "%09"])
async def test_an_empty_profile(surface: Surface, slug: str) -> None:
    answer = await surface.ask("eth_chainId", path=f"/rpc/profile/{slug}/devnet", id=5)
    assert (answer.status, answer.json["id"]) == (400, None)
    expected = {"code": -32602, "message": "Profile cannot be empty", "data": {"error_type": "profile_empty"}}
    assert answer.error == expected


@pytest.mark.parametrize("name", ["nope", "0", "-1", "031337", "0x7a69", "DEVNET", "a b"])
async def test_an_unknown_chain(surface: Surface, name: str) -> None:
    for path, profile in ((f"/rpc/{name}", "public"), (f"/rpc/profile/team/fastest/{name}", "team")):
        answer = await surface.ask("eth_chainId", path=path.replace(" ", "%20"), id=5)
        assert (answer.status, answer.json["id"]) == (400, None)
        message = f"Unsupported chain: Unknown chain '{name}' in profile '{profile}'"
        assert answer.error == {"code": -32602, "message": message}


async def test_a_route_that_leads_nowhere_says_so_again_and_again(surface: Surface) -> None:
    client = await surface.connect()
    answers = {(await client.request("POST", "/rpc/nope", b'{"id":1,"method":"x"}')).body for _ in range(3)}
    assert len(answers) == 1


# Who is left


async def test_all_breakers_open_is_told_with_the_wait(start: Start) -> None:
    broken = Faults(failures=(Failure(Kind.HTTP, status=500),))
    surface = await start(alpha=broken, beta=broken)
    client = await surface.connect()
    for _ in range(100):
        answer = await client.request("POST", "/rpc/devnet", b'{"id":"abc","method":"eth_blockNumber"}')
        assert answer.status == 200
        if "circuits" in answer.error["message"]:
            break
    assert answer.json["id"] == "abc"
    error = answer.error
    assert error["code"] == -32000
    text = r"No available channels for method: eth_blockNumber\. All circuits open, retry after (\d+)s"
    seconds = re.fullmatch(text, error["message"])
    assert seconds is not None
    assert 0 < error["data"]["retry_after_ms"] <= int(seconds[1]) * 1000
    metrics = (await surface.get("/api/metrics/devnet")).json
    assert metrics["chain_performance"]["connected_providers"] == 0
    assert metrics["providers"][0]["channels"][0]["circuit_breaker"]["state"] == "open"


async def test_nobody_who_could_serve_it(surface: Surface) -> None:
    answer = await surface.ask("eth_coinbase")
    assert answer.error == {"code": -32000, "message": "No channels available"}


# What became of it


async def test_a_call_that_takes_too_long(start: Start) -> None:
    quick = Routing(method_overrides={"eth_blockNumber": MethodOverride(timeout_ms=120)})
    surface = await start(alpha=HUNG, beta=HUNG, chain={"routing": quick})
    answer = await surface.ask("eth_blockNumber", id="t")
    assert (answer.status, answer.json["id"]) == (200, "t")
    assert answer.error == {"code": -32007, "message": "Request timeout"}
    assert surface.calls() == {"alpha": 1, "beta": 1}


async def test_a_transaction_whose_fate_is_unknown_is_not_sent_again(start: Start) -> None:
    torn = Faults(failures=(Failure(Kind.RESET),))
    surface = await start(alpha=torn, beta=torn)
    answer = await surface.ask("eth_sendRawTransaction", "0x02f8")
    assert answer.error == {"code": -32000, "message": "Upstream dispatch outcome is indeterminate"}
    assert sum(surface.calls("eth_sendRawTransaction").values()) == 1


@pytest.mark.parametrize("kind", [Kind.GARBAGE, Kind.WRONG_ID, Kind.BOTH, Kind.NEITHER])
async def test_a_broken_answer_goes_to_nobody(start: Start, kind: Kind) -> None:
    surface = await start(alpha=Faults(failures=(Failure(kind, times=1),)))
    answer = await surface.ask("eth_blockNumber")
    assert answer.error == {"code": -32000, "message": "Invalid upstream response"}
    assert (await surface.ask("eth_blockNumber")).json["result"] == "0x3e8"


@pytest.mark.parametrize("kind", [Kind.GARBAGE, Kind.WRONG_ID, Kind.BOTH, Kind.NEITHER, Kind.TRUNCATED, Kind.RESET])
async def test_somebody_else_is_asked_instead(start: Start, kind: Kind) -> None:
    surface = await start(alpha=Faults(failures=(Failure(kind),)), beta=Faults())
    answer = await surface.ask("eth_blockNumber", path="/rpc/priority/devnet")
    assert answer.json["result"] == "0x3e8"


async def test_a_provider_that_is_not_there(start: Start) -> None:
    surface = await start(alpha=Faults())
    await surface.net.kill("alpha")
    answer = await surface.ask("eth_blockNumber", id=3)
    assert (answer.status, answer.json["id"]) == (200, 3)
    assert (answer.error["code"], answer.error["message"]) == (-32000, "Upstream connection failed")
    assert "127.0.0.1" not in answer.body.decode()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (rpc_error(3, "execution reverted: no", "0x08c379a0"), {"code": 3, "data": "0x08c379a0"}),
        (rpc_error(-32000, "nonce too low"), {"code": -32000, "message": "nonce too low"}),
        (rpc_error(-32601, "the method x does not exist"), {"code": -32601}),
        (rpc_error(-32602, "invalid argument 0"), {"code": -32602, "message": "invalid argument 0"}),
        (rpc_error(-32603, "internal error", {"a": [1.5, None]}), {"code": -32603, "data": {"a": [1.5, None]}}),
        (rpc_error(-31999, "something of its own"), {"code": -31999, "message": "something of its own"}),
    ],
)
async def test_the_upstreams_own_error_is_passed_on(start: Start, faults: Faults, error: dict[str, object]) -> None:
    surface = await start(alpha=faults, beta=faults)
    answer = await surface.ask("eth_call", {}, id="e")
    assert (answer.status, answer.json["id"]) == (200, "e")
    assert answer.error | error == answer.error


async def test_a_revert_is_the_answer_and_nobody_else_is_asked(start: Start) -> None:
    surface = await start(alpha=rpc_error(3, "execution reverted", "0x"), beta=Faults())
    answer = await surface.ask("eth_call", {}, path="/rpc/priority/devnet")
    assert answer.error["code"] == 3
    assert surface.calls("eth_call") == {"alpha": 1}


async def test_when_everybody_fails_the_last_error_is_passed_on(start: Start) -> None:
    surface = await start(one=rpc_error(-32603, "one is sorry"), two=rpc_error(-32603, "two is sorry", [{"n": 1e3}]))
    answer = await surface.ask("eth_blockNumber", path="/rpc/priority/devnet")
    assert answer.error == {"code": -32603, "message": "two is sorry", "data": [{"n": 1000.0}]}


async def test_at_most_three_are_asked(start: Start) -> None:
    surface = await start(**{f"p{i}": rpc_error(-32603, f"p{i} is sorry") for i in range(5)})
    answer = await surface.ask("eth_blockNumber", path="/rpc/priority/devnet")
    assert answer.error == {"code": -32603, "message": "p2 is sorry"}
    assert surface.calls() == {"p0": 1, "p1": 1, "p2": 1}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (500, -32002, "Server error"),
        (502, -32002, "Server error"),
        (503, -32002, "Server error"),
        (403, -32002, "HTTP 403"),
        (429, -32005, "Upstream rate limit exceeded"),
    ],
)
async def test_an_upstreams_bare_http_error_is_put_into_json_rpc(
    start: Start, status: int, code: int, message: str
) -> None:
    surface = await start(alpha=Faults(failures=(Failure(Kind.HTTP, status=status, body="<html>key=abc</html>"),)))
    answer = await surface.ask("eth_blockNumber")
    assert answer.status == 200
    assert answer.error == {"code": code, "message": message, "data": {"http_status": status}}


async def test_a_json_rpc_error_in_an_http_error_is_that_error(
    start: Start, scripted: Callable[[Script], Awaitable[str]]
) -> None:
    async def bad_request(id_: int, _: object, stream: trio.abc.Stream) -> None:
        text = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"bad params"}}' % id_
        await stream.send_all(reply(text, 400))

    surface = await start(upstreams={"odd": await scripted(bad_request)})
    answer = await surface.ask("eth_call", id="q")
    assert (answer.status, answer.json["id"]) == (200, "q")
    assert answer.error == {"code": -32602, "message": "bad params"}

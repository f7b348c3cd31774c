"""Which instances get a keeper, what profiles have to say to it, and calls that go over what it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import (
    Capabilities,
    Chain,
    ErrorRule,
    Monitoring,
    Profile,
    Provider,
    Transport,
    WebSocketPolicy,
)  # fmt: skip
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Faults
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service, Wish
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.subscriptions.keepers import make_keepers
from lasso_trio.upstream.dialled import Dial, Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

BOTH = Provider("both", "Both", "31337:both:0", SecretUrl("http://both/"), SecretUrl("ws://both/"))
HTTP = Provider("http", "Http", "31337:http:0", SecretUrl("http://http/"))
WS = Provider("ws", "Ws", "31337:ws:0", ws_url=SecretUrl("wss://ws/"), headers={"x-key": Secret("hush-hush")})


def chain(*providers: Provider, timeout_ms: int = 42_000, interval_ms: int = 12_000) -> Chain:
    watch, sockets = Monitoring(interval_ms), WebSocketPolicy(new_heads_timeout_ms=timeout_ms)
    return Chain("devnet", 31337, "Devnet", providers, monitoring=watch, websocket=sockets)


def directory(*chains: Chain, registry: Registry | None = None) -> Directory:
    profiles = [Profile(f"p{number}", "P", (its,)) for number, its in enumerate(chains)]
    return Directory.of(ProfileSet.of(profiles), registry or Registry(Pool, Random(1)))


async def test_who_has_a_websocket_has_a_keeper() -> None:
    made = directory(chain(BOTH, HTTP, WS))
    keepers = {keeper.instance_id: keeper for keeper in make_keepers(made)}
    assert {id_: keeper.alone for id_, keeper in keepers.items()} == {"31337:both:0": False, "31337:ws:0": True}
    assert made.registry.instances["31337:ws:0"].keeper is keepers["31337:ws:0"]
    assert made.registry.instances["31337:http:0"].keeper is None
    assert make_keepers(made) == []


async def test_who_is_asked_over_a_websocket_alone_may_serve_only_when_its_chain_is_known() -> None:
    made = directory(chain(BOTH, WS))
    make_keepers(made)
    checks = {id_: instance.head.check for id_, instance in made.registry.instances.items()}
    assert checks == {"31337:both:0": ChainCheck.TRUSTED, "31337:ws:0": ChainCheck.PENDING}


async def test_the_most_patient_profile_and_the_one_that_wants_heads_decide() -> None:
    quiet = Provider("q", "Q", WS.instance_id, ws_url=WS.ws_url, subscribe_new_heads=False)
    made = directory(chain(quiet, timeout_ms=60_000), chain(WS, timeout_ms=10_000, interval_ms=4_000))
    (keeper,) = make_keepers(made)
    assert keeper.terms == Terms(new_heads=True, timeout_s=60.0, poll_s=4.0)
    make_keepers(directory(chain(quiet, timeout_ms=9_000), registry=made.registry))
    assert keeper.terms == Terms(new_heads=False, timeout_s=9.0, poll_s=12.0)


async def test_errors_are_judged_by_the_rules_of_every_profile_that_names_it() -> None:
    rules = [ErrorRule("rate_limit", code=code) for code in (7, 8)]
    named = [attrs.evolve(WS, capabilities=Capabilities(error_rules=its)) for its in (rules[:1], rules)]
    (keeper,) = make_keepers(directory(*(chain(provider) for provider in named)))
    assert keeper.terms.error_rules == tuple(rules)


async def test_beside_http_a_sign_of_life_is_asked_for_now_and_then() -> None:
    (keeper,) = make_keepers(directory(chain(BOTH, timeout_ms=30_000)))
    assert keeper.terms.poll_s == 10


async def test_a_wss_url_is_dialled_with_tls() -> None:
    seen: list[Endpoint] = []

    def make_dial(endpoint: Endpoint) -> Dial:
        seen.append(endpoint)

        async def dial() -> Dialled:
            raise AssertionError("nobody dials here")

        return dial

    make_keepers(directory(chain(WS)), make_dial)
    assert [(endpoint.tls, endpoint.port, endpoint.host) for endpoint in seen] == [(True, 443, "ws")]


# Calls over it…

Start = Callable[..., Directory]


@pytest.fixture
def start(nursery: trio.Nursery) -> Start:
    """A directory whose pools and keepers reach simulated providers, with its keepers running."""

    def start(*providers: Provider, faults: Faults | None = None) -> Directory:
        simulated = SimulatedChain(start_height=1000)
        nodes = {p.id: SimulatedProvider.make(p.id, simulated, faults or Faults()) for p in providers}

        def dial_of(endpoint: Endpoint) -> Dial:
            async def dial() -> Dialled:
                ours, theirs = trio.testing.memory_stream_pair()
                nursery.start_soon(nodes[endpoint.host].handle, theirs)
                return Dialled(ours)

            return dial

        made = directory(
            chain(*providers), registry=Registry(lambda endpoint: Pool(endpoint, dial=dial_of(endpoint)), Random(1))
        )
        for keeper in make_keepers(made, dial_of):
            nursery.start_soon(keeper.run)
        return made

    return start


async def call(made: Directory, method: str = "eth_gasPrice", wish: Wish | None = None) -> dict[str, Any]:
    request = decode(b'{"jsonrpc":"2.0","id":"mine","method":"%b","params":[]}' % method.encode())
    assert isinstance(request, Request)
    (routed,) = made.chains()
    served = await Service(Random(1)).serve(routed, wish or Wish(), request, trio.current_time(), stream=False)
    outcome = served.outcome
    text = outcome.reply.splice(b'"mine"') if outcome.reply is not None else outcome.error.encode(b'"mine"')
    answer: dict[str, Any] = json.loads(text)
    return answer | {"by": outcome.candidate.label if outcome.candidate is not None else None}


async def settled(made: Directory) -> list[Keeper]:
    keepers = [instance.keeper for instance in made.registry.instances.values() if instance.keeper is not None]
    for keeper in keepers:
        await keeper.settled.wait()
    return keepers


async def test_a_provider_with_a_websocket_alone_serves_calls(autojump_clock: object, start: Start) -> None:
    made = start(WS)
    assert "error" in await call(made)
    await settled(made)
    answer = await call(made)
    assert (answer["id"], answer["by"], "result" in answer) == ("mine", "ws:ws", True)


async def test_a_client_may_ask_for_the_websocket(autojump_clock: object, start: Start) -> None:
    made = start(BOTH)
    wish = Wish(transport=Transport.WS)
    assert "error" in await call(made, wish=wish)
    await settled(made)
    assert (await call(made, wish=wish))["by"] == "both:ws"


async def test_a_plan_that_is_older_than_the_sockets_end_goes_on_to_the_next(
    autojump_clock: object, start: Start
) -> None:
    made = start(WS, HTTP)
    (keeper,) = await settled(made)
    assert (await call(made))["by"] in ("ws:ws", "http:http")
    keeper.channel.pool = None  # nobody has told the plans yet
    assert [(await call(made))["by"] for _ in range(8)] == ["http:http"] * 8
    assert keeper.channel.breaker.failures == 0


async def test_a_forgotten_instances_socket_is_still_good_for_who_holds_it(
    autojump_clock: object, start: Start
) -> None:
    made = start(WS)
    (keeper,) = await settled(made)
    link = keeper.channel.pool
    assert link is not None
    made.registry.keep_only([])
    assert (await call(made))["by"] == "ws:ws"
    await made.registry.aclose()
    assert "lost" in repr(link)

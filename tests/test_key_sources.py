"""Sets of keys fetched from a door of ours on loopback: good ones, broken ones, and none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from lasso_trio import key_sources as room
from lasso_trio.access.gates import Gates
from lasso_trio.access.token import Tokens
from lasso_trio.config.access import AccessPolicy, JwtPolicy
from lasso_trio.config.secret import SecretUrl
from lasso_trio.key_sources import AGAIN_S, MOST_BYTES, PERIOD, FetchFault, KeySource, KeySources, fetched
from tests.access.test_gates import REMOTE, directory
from tests.access.token_maker import EC, ED, NOW, jwks, token


@asynccontextmanager
async def served(body: str, status: str = "200 OK", headers: str = "") -> AsyncIterator[str]:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            text = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
            try:
                await stream.send_all(text.encode())
            except trio.BrokenResourceError:
                return

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/keys"
        nursery.cancel_scope.cancel()


def source(url: str) -> KeySource:
    return KeySource(Tokens.of(JwtPolicy(("EdDSA", "ES256"), jwks_url=SecretUrl(url))))


async def test_fetched_keys_are_believed() -> None:
    async with served(jwks()) as url:
        one = source(url)
        await one.refresh(5.0)
    assert one.tokens.read(token(ED, "Ed25519"), NOW).client == "alice"


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ("x", "503 Busy", "HTTP 503"),
        ("", "302 Found", "HTTP 302"),
        ("x" * (MOST_BYTES + 1), "200 OK", "more than 262144 bytes"),
    ],
)
async def test_what_is_no_answer_is_a_fault_with_its_reason(body: str, status: str, why: str) -> None:
    async with served(body, status, "location: /other\r\n") as url:
        with pytest.raises(FetchFault, match=why):
            await fetched(url)


async def test_nobody_there_is_a_fault() -> None:
    with pytest.raises(FetchFault, match="ConnectError"):
        await fetched("http://127.0.0.1:1/keys")


@pytest.mark.parametrize("body", ["{}", '{"keys":[{"kty":"oct","k":"AAAA"}]}', '{"keys":[{"kty":"new"}]}'])
async def test_what_cannot_be_had_leaves_the_keys_of_before_in_force(body: str) -> None:
    async with served(body) as url:
        one = source(url)
        one.tokens.use(jwks())
        await one.refresh(5.0)
    assert one.tokens.read(token(ED, "Ed25519"), NOW)


async def test_a_source_that_says_nothing_is_given_up(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(room, "_body", silence)
    with pytest.raises(FetchFault, match="no answer within 5 s"):
        await fetched("https://id.example/keys")


def test_a_source_is_asked_at_intervals_and_sooner_for_an_unknown_key_but_not_too_often() -> None:
    one = source("https://id.example/keys")
    assert one.is_due(0.0)
    one.asked_at = 0.0
    assert not one.is_due(AGAIN_S - 0.1)
    assert one.is_due(AGAIN_S)  # there are none yet
    one.tokens.use(jwks(EC))
    assert not one.is_due(AGAIN_S)
    one.tokens.misses += 1
    assert not one.is_due(AGAIN_S - 0.1)
    assert one.is_due(AGAIN_S)
    one.tokens.misses -= 1
    assert not one.is_due(299.0)
    assert one.is_due(300.0)


async def test_keys_behind_a_url_are_fetched_at_the_start_and_then_when_they_are_due(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    async def refresh(source: KeySource, now: float) -> None:
        await trio.lowlevel.checkpoint()
        source.asked_at = now
        asked.append(now - began)
        source.tokens.use(jwks())

    monkeypatch.setattr(room.KeySource, "refresh", refresh)
    gates, began, served_by = Gates(), trio.current_time(), directory(REMOTE)
    with trio.move_on_after(650):
        await KeySources(gates, lambda: served_by).run()
    assert [round(moment) for moment in asked] == [0, 300, 600]
    gate = gates.gates["public"]
    assert gate.tokens is not None
    assert gate.tokens.read(token(ED, "Ed25519"), NOW).client == "alice"


async def test_profiles_without_such_keys_ask_nobody(autojump_clock: trio.abc.Clock) -> None:
    closed = directory(AccessPolicy(networks=REMOTE.networks, origins=()))
    sources = KeySources(Gates(), lambda: closed)
    with trio.move_on_after(3 * PERIOD):
        await sources.run()
    assert not sources._sources


async def test_a_reload_that_keeps_the_source_does_not_ask_it_again(autojump_clock: trio.abc.Clock) -> None:
    sources = KeySources(Gates(), lambda: serving)
    serving = directory(REMOTE)
    (first,) = sources._due(0.0)
    first.asked_at = 0.0
    first.tokens.use(jwks())
    serving = directory(attrs.evolve(REMOTE, origins=()))
    assert sources._due(1.0) == []
    assert list(sources._sources.values()) == [first]

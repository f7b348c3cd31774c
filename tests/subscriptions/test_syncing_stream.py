from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.subscriptions.syncing_stream import is_syncing
from tests.subscriptions.simulated import Scene

SYNCING = b'{"syncing":true,"status":{"currentBlock":1}}'
FURTHER = b'{"syncing":true,"status":{"currentBlock":2}}'


@pytest.mark.parametrize("sources", [0, 2])
async def test_it_is_false_until_somebody_says_otherwise(autojump_clock: MockClock, sources: int) -> None:
    async with Scene.open(sources=sources) as scene:
        client = await scene.join('["syncing"]')
        assert client.results == [False]


async def test_where_nobody_takes_the_subscription_it_is_false(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for source in scene.sources:
            source.refuses = ("syncing",)
        client = await scene.join('["syncing"]')
        assert client.results == [False]


async def test_it_is_told_when_it_changes(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["syncing"]')
        for text in (b'{"syncing":true}', b'{"syncing":true}', b"false"):
            for source in scene.sources:
                source.tell("syncing", text)
            await trio.sleep(0.1)
        assert client.results == [False, {"syncing": True}, False]


async def test_while_one_is_syncing_another_that_is_not_does_not_say_otherwise(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["syncing"]')
        for which, text in ((0, SYNCING), (1, b"false"), (0, FURTHER), (0, b'{"syncing":false}')):
            scene.sources[which].tell("syncing", text)
            await trio.sleep(0.1)
        steps = [result and result["status"]["currentBlock"] for result in client.results]
        assert steps == [False, 1, 2, False]


async def test_what_a_provider_said_is_forgotten_when_it_is_gone(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["syncing"]')
        scene.sources[0].tell("syncing", SYNCING)
        await trio.sleep(1)
        scene.sources[0].kill()
        await trio.sleep(1)
        assert [bool(result) for result in client.results] == [False, True, False]
        assert (await scene.join('["syncing"]')).results == [False]


@pytest.mark.parametrize(
    ("result", "syncing"),
    [
        (b"false", False),
        (b"true", True),
        (b'{"syncing":false}', False),
        (SYNCING, True),
        (b'"yes"', True),
        (b"{}", True),
    ],
)
def test_what_says_that_it_is_syncing(result: bytes, syncing: bool) -> None:
    assert is_syncing(result) == syncing

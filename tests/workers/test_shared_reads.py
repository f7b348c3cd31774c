"""Blocks and logs that the streams of several workers need are read once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.devnet import Faults, Latency
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.wanted import LogFilter
from lasso_trio.workers import shared_reads
from lasso_trio.workers.bus import BusFault
from lasso_trio.workers.shared_reads import KEPT_S, SharedReader
from tests.workers.team import BLOCK_S, Team, team_of

Patch = pytest.MonkeyPatch


def reader(team: Team, number: int) -> SharedReader:
    colleague = team[number]
    return colleague.member.reads.reader(colleague.routed)


async def test_streams_of_four_workers_read_what_those_of_one_read(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    reads = []
    for count in (1, 4):
        async with team_of(count, monkeypatch) as team:
            clients = [await colleague.join('["logs",{}]') for colleague in team.colleagues.values()]
            await trio.sleep(30 * BLOCK_S)
            assert all(client.results for client in clients)
            reads.append(team.calls("eth_getLogs"))
    assert reads[0] > 20
    assert reads[1] <= reads[0] + 2


async def test_a_read_is_told_to_all_who_ask_while_it_is_under_way_and_for_a_moment_after(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        for node in team.network.nodes.values():
            node.set_faults(Faults(latency=Latency.constant(5)))
        before, hash_, headers = team.calls("eth_getBlockByHash"), team.hashes(1001)[0], []

        async def read(number: int) -> None:
            headers.append(await reader(team, number).by_hash(hash_))

        async with trio.open_nursery() as nursery:
            for number in team.colleagues:
                nursery.start_soon(read, number)
        await read(team.followers[0])
        assert len({header and header.hash for header in headers}) == 1
        assert len(headers) == 4
        assert team.calls("eth_getBlockByHash") == before + 1
        await trio.sleep(KEPT_S)
        await read(team.keeper)
        assert team.calls("eth_getBlockByHash") > before + 1


async def test_the_newest_block_and_one_that_is_not_there_yet_are_never_told_again(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        mine, height = reader(team, team.followers[0]), team.network.chain.height(trio.current_time())
        assert await mine.by_number(height + 1) is None
        latest = await mine.latest()
        await trio.sleep(BLOCK_S)
        assert (await mine.by_number(height + 1)) is not None
        newer = await mine.latest()
        assert latest is not None
        assert newer is not None
        assert newer.number == latest.number + 1


async def test_what_cannot_be_read_is_unreadable_for_all(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        for node in team.network.nodes.values():
            node.set_faults(Faults(missing_methods=("eth_getLogs",)))
        for number in team.colleagues:
            with pytest.raises(Unreadable):
                await reader(team, number).logs("0x" + "00" * 32, LogFilter())


async def test_a_follower_reads_for_itself_when_the_keeping_worker_does_not_answer(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:

        async def hang(*_: object) -> bytes:
            await trio.sleep_forever()
            raise BusFault("never")

        team[team.keeper].bus.topics._acts[shared_reads.TOPIC] = hang
        header = await reader(team, team.followers[0]).by_number(1001)
        assert header is not None
        assert header.number == 1001


async def test_what_is_too_large_to_be_passed_on_is_read_by_each(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    monkeypatch.setattr(shared_reads, "LARGEST", 10)
    async with team_of(2, monkeypatch) as team:
        before = team.calls("eth_getBlockByHash")
        assert await reader(team, team.followers[0]).by_hash(team.hashes(1001)[0]) is not None
        assert team.calls("eth_getBlockByHash") == before + 2


async def test_who_gives_up_waiting_leaves_the_read_to_the_others(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        for node in team.network.nodes.values():
            node.set_faults(Faults(latency=Latency.constant(500)))
        numbers: list[int | None] = []
        async with trio.open_nursery() as nursery:

            async def impatient() -> None:
                with trio.move_on_after(0.1):
                    await reader(team, team.keeper).by_number(1001)

            async def patient() -> None:
                await trio.sleep(0.05)
                header = await reader(team, team.followers[0]).by_number(1001)
                numbers.append(header and header.number)

            nursery.start_soon(impatient)
            nursery.start_soon(patient)
        assert numbers == [1001]

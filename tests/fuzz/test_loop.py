"""The fuzzer itself: it finds what is planted, changes its inputs as it should, and takes every surface."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import door_surface, loop, request_surface
from tests.fuzz.loop import Run, hangs_are_broken_off
from tests.fuzz.mutation import MOST_BYTES, Mutator
from tests.fuzz.run import SURFACES
from tests.fuzz.surface import AsyncFeed, Surface
from tests.fuzz.test_findings import fed

FEW = {"web": 40, "profile": 60}


def run(surface: Surface, inputs: int) -> Run:
    with hangs_are_broken_off():
        return Run.of(surface, inputs, 50.0, seed=3).run()


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_no_surface_has_a_finding_in_a_few_inputs(surface: Surface) -> None:
    done = run(surface, FEW.get(surface.name, 300))
    assert [(found.what, found.data) for found in done.findings] == []
    assert done.done == FEW.get(surface.name, 300)
    assert len(done.outcomes) > 2


def test_the_same_seed_gives_the_same_inputs_and_they_are_bounded() -> None:
    first, second = (Mutator((b"abc" * 900, b"x"), (b"token",), seed=5) for _ in range(2))
    made = [first.next() for _ in range(3_000)]
    assert made == [second.next() for _ in range(3_000)]
    assert len(set(made)) > 2_000
    assert max(map(len, made)) <= MOST_BYTES


def test_a_planted_accident_is_found_with_its_input() -> None:
    def feed(data: bytes) -> str:
        if b"!" in data:
            raise KeyError("planted")
        return "fine"

    done = run(Surface("planted", (b"abc",), (b"!",), feed), 2_000)
    assert done.findings
    assert all(b"!" in found.data and found.what == "KeyError: 'planted'" for found in done.findings)


def test_what_does_not_come_back_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "HANG_S", 0.1)
    done = run(Surface("hanging", (b"abc",), (), lambda data: str(time.sleep(30))), 1)
    assert [found.what for found in done.findings] == ["Hang: not done after 0 s"]


def test_a_task_that_waits_for_ever_is_found_without_waiting() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncFeed]:
        async def feed(data: bytes) -> str:
            await trio.sleep_forever()

        yield feed

    assert [found.what for found in run(Surface("stuck", (b"a",), (), opened=opened), 1).findings] == ["TooSlowError: "]


def test_what_is_never_given_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LEAST_WARM", 100)
    kept: list[list[int]] = []
    surface = Surface("leaking", (b"abc",), (), lambda data: str(kept.extend([n] for n in range(300))))
    assert [found.what.split(" from")[0] for found in run(surface, 600).findings] == ["memory grew"]


@pytest.mark.fuzz
@given(st.lists(st.sampled_from(request_surface.SEEDS + request_surface.TOKENS) | st.binary(max_size=64), max_size=12))
def test_a_connection_ends_whatever_is_said_on_it(pieces: list[bytes]) -> None:
    assert isinstance(fed(door_surface.DOOR, b"".join(pieces)), str)


@pytest.mark.fuzz
@given(st.lists(st.sampled_from(door_surface.FRAMES + door_surface.FRAME_TOKENS) | st.binary(max_size=64), max_size=8))
def test_a_websocket_client_ends_whatever_is_said_by_it(pieces: list[bytes]) -> None:
    assert isinstance(fed(door_surface.WEBSOCKET, b"".join(pieces)), str)

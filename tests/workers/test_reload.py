"""A reload is the node's: everybody does it, and the answer is one."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from lasso_trio.config.reload import Changes, ReloadResult
from lasso_trio.errors import Problem
from lasso_trio.workers.bus import PARENT, Bus
from lasso_trio.workers.reload import HERE, NodeReload, answer_here, decode, encode, merged, reload_node
from lasso_trio.workers.switch import READY, Switch
from tests.workers.crew import Crew, crew_of

GOOD = ReloadResult(True, 3, Changes(added=("public/a",), changed={"public": ("name", "order")}))
BAD = ReloadResult(False, 2, problems=(Problem("public.yml", 3, "what?", "that"),))


def test_a_result_arrives_as_it_was_sent() -> None:
    assert decode(encode(GOOD)) == GOOD
    assert decode(encode(BAD)) == BAD


def test_results_are_accepted_together_or_refused_with_whose_problems() -> None:
    assert merged({1: GOOD, 0: GOOD}) == GOOD
    assert merged({0: BAD, 1: BAD}) == BAD
    divided = merged({0: GOOD, 1: BAD})
    assert not divided.accepted
    assert [str(problem) for problem in divided.problems] == ["worker 1: public.yml:3: what? (did you mean 'that'?)"]


async def ready(crew: Crew) -> NodeReload:
    reload = NodeReload(crew.switch)
    reload.serve()
    for number in list(crew.buses):
        crew[number].tell(READY, b"", to=PARENT)
    await crew.settle()
    return reload


def each(results: Mapping[int, ReloadResult], why: list[tuple[int, str]]) -> object:
    def prepare(bus: Bus) -> None:
        async def reload(reason: str) -> ReloadResult:
            why.append((bus.worker, reason))
            return results[bus.worker]

        answer_here(bus, reload)

    return prepare


async def test_whichever_worker_is_asked_all_reload_once(autojump_clock: MockClock) -> None:
    why: list[tuple[int, str]] = []
    async with crew_of(3, each(dict.fromkeys(range(3), GOOD), why)) as crew:
        reload = await ready(crew)
        await trio.sleep(1)
        assert await reload_node(crew[1], "admin") == GOOD
        assert sorted(why) == [(0, "admin"), (1, "admin"), (2, "admin")]
        assert reload.last == trio.current_time()


async def test_that_one_refused_is_told_and_logged(autojump_clock: MockClock) -> None:
    async with crew_of(2, each({0: GOOD, 1: BAD}, [])) as crew:
        await ready(crew)
        with capture_logs() as logs:
            result = await reload_node(crew[0], "admin")
        assert not result.accepted
        (line,) = [line for line in logs if line["event"] == "config.divided"]
        assert (line["accepted"], line["refused"]) == ([0], [1])


async def test_one_that_read_a_file_half_written_is_asked_again(autojump_clock: MockClock) -> None:
    results, why = {0: GOOD, 1: BAD, 2: GOOD}, list[tuple[int, str]]()

    class Growing(dict[int, ReloadResult]):
        def __getitem__(self, worker: int) -> ReloadResult:
            try:
                return results[worker]
            finally:
                results[worker] = GOOD

    async with crew_of(3, each(Growing(), why)) as crew:
        await ready(crew)
        with capture_logs() as logs:
            assert await reload_node(crew[1], "admin") == GOOD
        assert sorted(why) == [(0, "admin"), (1, "admin"), (1, "admin"), (2, "admin")]
        assert not [line for line in logs if line["event"] == "config.divided"]


async def test_a_worker_that_does_not_answer_counts_as_one_that_refused(autojump_clock: MockClock) -> None:
    async with crew_of(1) as crew:
        await ready(crew)
        result = await reload_node(crew[0], "admin")
        assert not result.accepted
        assert "nobody answers that" in str(result.problems[0])


async def test_without_a_worker_or_a_parent_it_is_refused(autojump_clock: MockClock) -> None:
    result = await NodeReload(Switch()).all("SIGHUP")
    assert (result.accepted, str(result.problems[0])) == (False, "reload: no worker takes calls")
    async with crew_of(1) as crew:
        result = await reload_node(crew[0], "admin")  # the parent does not serve it
        assert not result.accepted
    assert HERE != "reload"

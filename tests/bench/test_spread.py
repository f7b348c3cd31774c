from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import count

from spread import FAILING, OTHER, Answer, by_log, hear, row, tell


def replies(answers: Iterable[Answer], method: str) -> Callable[[str], Awaitable[Answer]]:
    waiting = iter(answers)

    async def ask(asked: str) -> Answer:
        assert asked == method
        return next(waiting)

    return ask


def ticking() -> Callable[[], float]:
    """A clock that shows 0, 1, 2 …, a second at each look."""
    looks = count(0.0)
    return lambda: next(looks)


async def test_a_delay_begins_when_the_last_call_was_sent_that_asked_the_failing_provider() -> None:
    failed_over, told = Answer("p1", 1), Answer("p1", 0)
    assert await tell(replies([failed_over, failed_over, failed_over, told], FAILING), "p0", ticking()) == 3.0


async def test_another_failure_on_the_way_to_the_next_provider_is_not_taken_for_knowledge() -> None:
    assert await tell(replies([Answer("p2", 2), Answer("p1", 1), Answer("p1", 0)], FAILING), "p0", ticking()) == 2.0


async def test_it_ends_when_the_next_provider_has_answered() -> None:
    looks = ticking()
    assert await hear(replies([Answer("p0", 0), Answer("p0", 0), Answer("p1", 0)], OTHER), "p0", looks) == 0.0


def line(event: str, instance: str, second: str, before: str = "closed") -> bytes:
    timestamp = f'"timestamp":"2026-01-01T00:00:{second}Z"'
    return f'{{{timestamp},"event":"{event}","before":"{before}","instance":"{instance}"}}'.encode()


def test_by_the_log_it_is_from_the_first_opening_to_the_first_that_was_told() -> None:
    lines = [
        line("breaker.told", "b", "01.010"),  # written before the line of the worker that was first
        line("breaker.quarantined", "a", "01.000"),
        line("breaker.quarantined", "b", "01.004"),
        line("breaker.told", "a", "02.000", before="half_open"),
        line("breaker.told", "a", "01.007"),
        line("breaker.quarantined", "c", "01.000"),
        b"node.ready",
    ]
    assert by_log(lines) == [7.0, 6.0]


def test_a_row_tells_the_distribution() -> None:
    assert row("x", [float(n) for n in range(11, 0, -1)]) == "| x | 11 | 1.0 | 6.0 | 10.0 | 11.0 |"

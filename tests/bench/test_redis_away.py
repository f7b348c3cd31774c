from __future__ import annotations

import attrs
import pytest
from redis_away import LEAST_MS, ORDER, WELL, Window, extras, holds, noise_ms, rows


def windows(well: tuple[float, ...], stopped: float, killed: float, failed: int = 0) -> list[Window]:
    """As `ORDER`, each with these p99s; the well ones in turn."""
    its, away = iter(well * 5), {"stopped": stopped, "killed": killed}
    p99s = [next(its) if state == WELL else away[state] for state in ORDER]
    return [Window(state, [1.0] * 95 + [p99] * 5, 100, failed) for state, p99 in zip(ORDER, p99s, strict=True)]


def test_what_is_taken_is_counted_against_the_windows_at_the_sides() -> None:
    assert extras(windows((10.0,), 13.0, 9.5)) == {"stopped": pytest.approx(3.0), "killed": pytest.approx(-0.5)}


def test_noise_is_twice_what_well_windows_usually_differ_by() -> None:
    assert noise_ms(windows((10.0, 14.0, 12.0, 11.0, 13.0), 0, 0)) == pytest.approx(2.0)
    assert noise_ms(windows((10.0, 10.0, 900.0, 10.0, 10.0), 0, 0)) == LEAST_MS  # an accident
    assert noise_ms(windows((10.0,), 0, 0)) == LEAST_MS


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (windows((10.0,), 10.9, 10.9), True),
        (windows((10.0,), 11.1, 10.0), False),
        (windows((10.0,), 10.0, 11.1), False),
        (windows((10.0, 14.0, 12.0, 11.0, 13.0), 13.5, 12.0), True),
        (windows((10.0,), 10.0, 10.0, failed=1), False),
    ],
)
def test_more_than_noise_and_failed_calls_are_no_success(measured: list[Window], expected: bool) -> None:
    assert holds(measured) is expected


def test_with_a_redis_that_was_not_asked_while_it_was_well_nothing_is_shown() -> None:
    measured = windows((10.0,), 10.0, 10.0)
    assert not holds([attrs.evolve(measured[0], looked_up=40), *measured[1:]])
    assert holds([measured[0], attrs.evolve(measured[1], looked_up=0), *measured[2:]])


def test_every_window_has_its_line() -> None:
    lines = rows(windows((10.0,), 12.0, 10.0))
    assert len(lines) == 2 + len(ORDER)
    assert lines[3] == "| stopped | 100 | 100 | 1.0 | 12.0 | +2.0 |"
    assert lines[2].endswith("| 10.0 |  |")

"""A run of the streams that misses one of its marks fails, and names it."""

from __future__ import annotations

import pytest
import streams
from streams import MOST_CPU_US, Figures, verdict

from lasso_trio import descriptors


def test_a_run_that_meets_its_marks_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(Figures(24.0, cpu_us=[MOST_CPU_US, 90.0, 1.0], last_ms=[250.0]).missed) == 0
    assert not any(capsys.readouterr())


def test_one_that_misses_marks_fails_and_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(Figures(33.0, cpu_us=[12.3], last_ms=[120.0]).missed) == 1
    told = capsys.readouterr().err
    assert "mark missed: CPU per message: 12.3 > 12.0 µs" in told
    assert "mark missed: resident: 33.0 > 32.0 KiB" in told
    assert "last delivery" not in told


def test_what_could_not_be_measured_fails_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(subscribers: int, events: int) -> dict[str, Figures]:
        raise OSError("too many open files")

    monkeypatch.setattr(streams, "measure", measure)
    monkeypatch.setattr(descriptors, "raise_limit", lambda: None)
    assert verdict(streams.fan_out(10, 1)) == 1
    assert "too many open files" in capsys.readouterr().err

"""Lines of one of several processes: each says whose it is, and is written in its turn."""

from __future__ import annotations

import os

import msgspec
import structlog

from lasso_trio.telemetry.log import Format, configure


def written(kind: Format, worker: int | None) -> tuple[bytes, list[str]]:
    reading, writing = os.pipe()
    turns: list[str] = []

    class Turns:
        def __enter__(self) -> None:
            turns.append("taken")

        def __exit__(self, *_: object) -> None:
            turns.append("given")

    log = configure(format=kind, fd=writing)
    log.share(worker, Turns())
    structlog.get_logger("test").info("a.thing", n=1)
    log.sink.render_with(int, lambda _: b"")  # cannot be shown
    log.sink.push(7)
    assert log.close(20)
    os.close(writing)
    with open(reading, "rb") as lines:
        text = lines.read()
    structlog.reset_defaults()
    return text, turns


def test_a_workers_lines_say_whose_they_are() -> None:
    text, turns = written("json", 3)
    (line,) = text.splitlines()
    told = msgspec.json.decode(line)
    assert (told["event"], told["n"], told["worker"]) == ("a.thing", 1, 3)
    assert turns[:2] == ["taken", "given"]


def test_for_people_the_number_stands_in_front() -> None:
    text, _ = written("pretty", 3)
    assert text.startswith(b"3| ")
    assert text.count(b"\n") == 1


def test_the_parents_lines_have_no_number() -> None:
    text, turns = written("json", None)
    assert "worker" not in msgspec.json.decode(text)
    assert turns

"""Logging as the operator sees it: one line per event, in order, complete, without keys, whatever is thrown at it."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import msgspec
import pytest
import structlog
import trio
from structlog.typing import FilteringBoundLogger

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.telemetry import log as log_module
from lasso_trio.telemetry.log import Format, Log, configure

PATIENCE_S = 20.0
ISO_MS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Output:
    """Configured logging into a pipe, and what came out of it."""

    def __init__(self, level: str, kind: Format) -> None:
        self.reading, self._writing = os.pipe()
        self.log: Log = configure(level=level, format=kind, fd=self._writing)
        self.logger: FilteringBoundLogger = structlog.get_logger("lasso_trio.test")

    def text(self) -> str:
        assert self.log.close(PATIENCE_S)
        self.close_writing()
        pieces = []
        while piece := os.read(self.reading, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode()

    def events(self) -> list[dict[str, object]]:
        return [msgspec.json.decode(line) for line in self.text().splitlines()]

    def close_writing(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def clean_up(self) -> None:
        os.close(self.reading)
        assert self.log.close(PATIENCE_S)
        self.close_writing()


@pytest.fixture
def output() -> Iterator[Callable[..., Output]]:
    made: list[Output] = []

    def make(level: str = "info", kind: Format = "json") -> Output:
        made.append(Output(level, kind))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
    structlog.reset_defaults()
    logging.root.handlers = [h for h in logging.root.handlers if not isinstance(h, log_module._FromStdlib)]


Make = Callable[..., Output]


def test_a_line_begins_with_when_how_bad_and_what(output: Make) -> None:
    out = output()
    out.logger.warning("breaker.changed", instance="1:drpc:abc", after="open")
    text = out.text()
    assert re.match(r'\{"timestamp":"[^"]+","level":"warning","event":"breaker.changed"', text)
    line = msgspec.json.decode(text)
    assert ISO_MS.fullmatch(line["timestamp"])
    assert (line["logger"], line["instance"], line["after"]) == ("lasso_trio.test", "1:drpc:abc", "open")


def test_the_level_filters(output: Make) -> None:
    out = output(level="warning")
    out.logger.debug("a")
    out.logger.info("b")
    out.logger.warning("c")
    out.logger.error("d")
    assert [line["event"] for line in out.events()] == ["c", "d"]


def test_an_unknown_level_is_refused_before_anything_is_changed() -> None:
    with pytest.raises(KeyError):
        configure(level="loud")


def test_auto_is_json_where_there_is_no_terminal_and_pretty_where_there_is(output: Make) -> None:
    assert output(kind="auto").log.pretty is False
    leader, follower = os.openpty()
    try:
        log = configure(fd=follower)
        assert log.pretty is True
        structlog.get_logger().info("hello", a=1)
        assert log.close(PATIENCE_S)
        assert "hello" in os.read(leader, 4096).decode()
    finally:
        os.close(leader)
        os.close(follower)


def test_values_of_every_kind_make_a_line(output: Make) -> None:
    out = output()
    out.logger.info(
        "all", big=2**70, nan=float("nan"), raw=b"\xff", lone="\ud800", thing=object(), deep={"a": [1, (2,)]}
    )
    (line,) = out.events()
    assert line["big"] == "0x400000000000000000"
    assert line["nan"] is None
    assert line["raw"] == "\\xff"
    assert line["deep"] == {"a": [1, [2]]}


def test_a_lone_surrogate_does_not_raise_into_the_caller(output: Make) -> None:
    out = output()
    out.logger.info("bad \ud800")
    assert out.events()[0]["event"] == "bad \\ud800"


@pytest.mark.parametrize("kind", ["json", "pretty"])
def test_no_key_reaches_a_line(output: Make, kind: Format) -> None:
    out = output(kind=kind)
    url = "https://eth.example/v3/HIDDEN"
    out.logger.info("a", secret=Secret("HIDDEN"), url=SecretUrl(url), text=f"see {url}", deep={"x": [url]})
    out.logger.info(f"in the event {url}")
    try:
        try:
            raise ConnectionError(f"cannot reach {url}")
        except ConnectionError as cause:
            hidden = url  # noqa: F841  a local variable of the frame
            raise ExceptionGroup(f"two of {url}", [ValueError(url), KeyError(url)]) from cause
    except ExceptionGroup:
        out.logger.exception("b")
    text = out.text()
    assert "HIDDEN" not in text
    assert text.count("https://eth.example/***") >= 6


def test_an_exception_is_structured_with_its_causes_and_groups(output: Make) -> None:
    out = output()
    try:
        raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])
    except ExceptionGroup as group:
        out.logger.error("failed", exc_info=group)
    (line,) = out.events()
    exception = line["exception"][0]  # type: ignore[index]
    assert exception["exc_type"] == "ExceptionGroup"
    assert [inner[0]["exc_type"] for inner in exception["exceptions"]] == ["ValueError", "KeyError"]
    assert exception["frames"][0]["name"] == "test_an_exception_is_structured_with_its_causes_and_groups"
    assert "locals" not in exception["frames"][0]


def test_a_person_gets_a_traceback_and_nothing_that_steers_the_terminal(output: Make) -> None:
    out = output(kind="pretty")
    try:
        raise ValueError("boom\x1b[2J")
    except ValueError:
        out.logger.exception("failed\x1b[2J", method="eth\x1b[2J")
    text = out.text()
    assert "Traceback" in text
    assert "boom" in text
    assert "\x1b" not in text


def test_what_libraries_log_comes_the_same_way(output: Make) -> None:
    out = output()
    other = logging.Logger.manager.getLogger("hypercorn.error")
    other.warning("cannot %s", "https://eth.example/v3/HIDDEN")
    other.info("not wanted")
    (line,) = out.events()
    assert (line["level"], line["logger"], line["event"]) == (
        "warning",
        "hypercorn.error",
        "cannot https://eth.example/***",
    )


def test_a_library_that_formats_its_own_line_wrongly_does_no_harm(output: Make) -> None:
    out = output()
    (handler,) = (h for h in logging.root.handlers if isinstance(h, log_module._FromStdlib))
    handler.handle(logging.LogRecord("x", logging.ERROR, "file", 1, "broken %s %s", ("too few",), None))
    assert out.events() == []


def test_configuring_again_does_not_double_the_lines_of_libraries(output: Make) -> None:
    first, second = output(), output()
    logging.Logger.manager.getLogger("x").warning("once")
    assert first.events() == []
    assert len(second.events()) == 1


def test_it_works_before_during_and_after_the_run(output: Make) -> None:
    out = output()

    async def main() -> None:
        out.logger.info("during")
        await trio.lowlevel.checkpoint()

    out.logger.info("before")
    trio.run(main)
    out.logger.info("after")
    assert [line["event"] for line in out.events()] == ["before", "during", "after"]


def test_a_stalled_output_does_not_stop_the_loop(output: Make) -> None:
    out = output()

    async def main() -> None:
        for n in range(20_000):
            out.logger.info("line", n=n, padding="x" * 80)
            if n % 1000 == 0:
                await trio.lowlevel.checkpoint()

    trio.run(main)
    assert out.log.sink.dropped > 0
    assert not out.log.flush(0.01)


def test_lost_lines_are_reported_once_writing_goes_on(output: Make) -> None:
    out = output()
    out.log.sink.dropped = 7
    out.logger.info("next")
    lost, following = out.events()
    assert (lost["event"], lost["lines"], lost["level"]) == ("log.dropped", 7, "warning")
    assert following["event"] == "next"


def test_missing_lines_are_told_to_who_listens_and_to_people_in_their_format(output: Make) -> None:
    out, heard = output(kind="pretty"), list[tuple[str, object, object]]()

    def listen(_: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        heard.append((level, event["event"], event["lines"]))
        return event

    structlog.get_config()["processors"].insert(0, listen)
    out.log.sink.dropped = 7
    (line,) = out.text().splitlines()
    assert heard == [("warning", "log.dropped", 7)]
    assert re.search(r"log\.dropped +lines=7$", line)

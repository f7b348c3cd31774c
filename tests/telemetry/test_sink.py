"""The sink: everything in order and whole, nothing ever blocks the one who logs, every lost line is counted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import attrs
import pytest

from lasso_trio.telemetry.sink import LINES_PER_WRITE, REPORT_EVERY_S, LogSink

PATIENCE_S = 20.0


@attrs.define
class Pipe:
    """A pipe whose reading end nobody reads until `read` is called."""

    reading: int
    writing: int

    def read_to_end(self) -> bytes:
        self.close_writing()
        pieces = []
        while piece := os.read(self.reading, 65536):
            pieces.append(piece)
        return b"".join(pieces)

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close_reading(self) -> None:
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    made.close_reading()
    made.close_writing()


@pytest.fixture
def sink(pipe: Pipe) -> Iterator[LogSink]:
    made = LogSink(pipe.writing, pause_s=0.001)
    yield made
    pipe.close_reading()  # frees a writer that hangs
    assert made.close(PATIENCE_S)


def test_lines_arrive_in_order_and_whole(pipe: Pipe, sink: LogSink) -> None:
    sink.start()
    lines = [b"%d\n" % n for n in range(5 * LINES_PER_WRITE + 3)]
    for line in lines:
        sink.push(line)
    assert sink.close(PATIENCE_S)
    assert pipe.read_to_end() == b"".join(lines)
    assert sink.dropped == 0


def test_what_was_pushed_before_the_start_is_written_too(pipe: Pipe, sink: LogSink) -> None:
    sink.push(b"early\n")
    sink.start()
    assert sink.flush(PATIENCE_S)
    assert os.read(pipe.reading, 100) == b"early\n"


def test_a_stalled_reader_blocks_nobody_and_costs_only_lines(pipe: Pipe, sink: LogSink) -> None:
    sink.start()
    for _ in range(30_000):  # a pipe holds 64 KiB, the queue 8 192 lines
        sink.push(b"x" * 99 + b"\n")
    assert sink.dropped > 10_000
    assert not sink.flush(0.01)
    assert not sink.close(0.01)


def test_when_the_reader_comes_back_it_is_told_how_many_lines_are_missing(pipe: Pipe) -> None:
    sink = LogSink(pipe.writing, capacity=10, pause_s=0.001)
    sink.report_dropped = lambda count: b"lost %d\n" % count
    for n in range(25):
        sink.push(b"%d\n" % n)
    sink.start()
    assert sink.flush(PATIENCE_S)
    sink.push(b"later\n")
    assert sink.close(PATIENCE_S)
    assert pipe.read_to_end() == b"lost 15\n" + b"".join(b"%d\n" % n for n in range(10)) + b"later\n"


def test_flush_means_written(pipe: Pipe, sink: LogSink) -> None:
    sink.start()
    for n in range(50):
        sink.push(b"%d\n" % n)
        assert sink.flush(PATIENCE_S)
        assert os.read(pipe.reading, 100) == b"%d\n" % n


def test_a_broken_pipe_loses_lines_and_says_so_in_the_count(pipe: Pipe, sink: LogSink) -> None:
    sink.start()
    pipe.close_reading()
    sink.push(b"a\n")
    sink.push(b"b\n")
    assert sink.flush(PATIENCE_S)
    assert sink.dropped == 2


class Reports:
    """How many lines were said to be missing, each time; and the time, which stands still until it is moved."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def line(self, count: int) -> bytes:
        self.counts.append(count)
        return b"lost %d\n" % count

    def sink(self, fd: int) -> LogSink:
        made = LogSink(fd, pause_s=0.001, clock=self.clock)
        made.report_dropped = self.line
        return made


def test_an_output_that_is_gone_is_told_of_at_the_first_loss_and_then_once_a_minute(pipe: Pipe) -> None:
    reports = Reports()
    sink = reports.sink(pipe.writing)
    pipe.close_reading()
    for minute in range(3):
        reports.now = 1000.0 + minute * REPORT_EVERY_S
        for _ in range(10):
            sink.push(b"a\n")
            sink._drain()
    assert reports.counts == [1, 10, 20]  # by then; a report that is not written is no lost line
    assert sink.dropped == 30
    sink.start()
    assert sink.close(PATIENCE_S)
    assert len(reports.counts) == 3


def test_what_was_lost_within_the_minute_is_told_at_its_end_or_at_the_end_of_all(pipe: Pipe) -> None:
    reports = Reports()
    sink = reports.sink(pipe.writing)
    for lost in (3, 4, 5):
        sink.dropped += lost
        sink.push(b"a\n")
        sink._drain()
        reports.now += 0.75 * REPORT_EVERY_S
    sink.dropped += 6
    sink.start()
    assert sink.close(PATIENCE_S)
    assert pipe.read_to_end() == b"lost 3\na\na\nlost 9\na\nlost 6\n"


def test_after_closing_lines_count_as_dropped(pipe: Pipe, sink: LogSink) -> None:
    sink.start()
    assert sink.close(PATIENCE_S)
    sink.push(b"late\n")
    assert sink.dropped == 1
    assert pipe.read_to_end() == b""


@attrs.frozen
class Thing:
    text: str


def test_objects_are_rendered_by_the_writer(pipe: Pipe, sink: LogSink) -> None:
    threads: set[str] = set()

    def render(thing: Thing) -> bytes:
        threads.add(threading.current_thread().name)
        return thing.text.encode() + b"\n"

    sink.render_with(Thing, render)
    sink.start()
    sink.push(Thing("one"))
    sink.push(b"two\n")
    assert sink.close(PATIENCE_S)
    assert pipe.read_to_end() == b"one\ntwo\n"
    assert threads == {"log-writer"}


def test_what_cannot_be_rendered_is_dropped_and_the_rest_is_written(pipe: Pipe, sink: LogSink) -> None:
    sink.render_with(Thing, lambda thing: 1 // 0)  # type: ignore[arg-type,return-value]
    sink.start()
    sink.push(Thing("bad"))
    sink.push(object())
    sink.push(b"good\n")
    assert sink.close(PATIENCE_S)
    assert pipe.read_to_end() == b"good\n"
    assert sink.dropped == 2


def test_a_descriptor_that_somebody_made_non_blocking_still_gets_everything(pipe: Pipe, sink: LogSink) -> None:
    os.set_blocking(pipe.writing, False)
    line = b"y" * 999 + b"\n"
    for _ in range(300):
        sink.push(line)
    sink.start()
    got = bytearray()
    while len(got) < 300 * len(line):
        got += os.read(pipe.reading, 4096)
    assert got == 300 * line
    assert sink.dropped == 0


def test_a_sleeping_writer_is_woken_by_a_line(pipe: Pipe) -> None:
    sink = LogSink(pipe.writing, pause_s=0.0)
    sink.start()
    for n in range(20):
        while not sink._asleep:
            threading.Event().wait(0.001)
        sink.push(b"%d\n" % n)
        assert os.read(pipe.reading, 100) == b"%d\n" % n
    assert sink.close(PATIENCE_S)


def test_many_threads_may_push_at_once(pipe: Pipe, sink: LogSink) -> None:
    sink.start()

    def push_many(who: int) -> None:
        for n in range(200):
            sink.push(b"%d %d\n" % (who, n))

    threads = [threading.Thread(target=push_many, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sink.close(PATIENCE_S)
    lines = pipe.read_to_end().splitlines()
    for who in range(4):
        assert [line for line in lines if line.startswith(b"%d " % who)] == [b"%d %d" % (who, n) for n in range(200)]

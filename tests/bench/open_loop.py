"""Fixed arrival rate: calls start when they are due, whether or not earlier ones are answered. Gives latency.

Latency counts from the moment a call was due, not from when it could be sent, so a stalled target cannot hide its stall
by slowing the generator down (coordinated omission). A call still unanswered at the end counts with the time it waited.
"""

from __future__ import annotations

import ctypes
import select
import time
from collections import deque

import attrs
from wire import Connection, Workload

MAX_CLIENTS = 128
DRAIN_S = 1.0
PR_SET_TIMERSLACK = 29


@attrs.frozen
class Latencies:
    """Seconds per call, sorted. `late` calls were not answered when the run ended."""

    values: tuple[float, ...]
    late: int

    def at(self, quantile: float) -> float:
        return self.values[min(int(len(self.values) * quantile), len(self.values) - 1)]

    @property
    def kept_up(self) -> bool:
        return self.late == 0


def sharpen_timers() -> None:
    """The kernel may round a sleep up by 50 µs; ask for 1 ns. Only this process is concerned."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


class OpenLoop:
    """Use once. Connections are taken from a stack of idle ones, so a quiet target sees few of them, warm."""

    drain_s = DRAIN_S

    def __init__(self, url: str, workload: Workload, rate: float, first: int) -> None:
        self.url, self.workload, self.gap, self.number = url, workload, 1 / rate, first
        self.idle: list[Connection] = []
        self.by_fd: dict[int, Connection] = {}
        self.backlog: deque[float] = deque()
        self.in_flight: set[Connection] = set()
        self.poll = select.epoll()
        self.answered: list[tuple[float, float]] = []

    def run(self, warm_s: float, window_s: float) -> Latencies:
        """The calls due in the warm-up are made and not counted."""
        try:
            began = time.perf_counter() + 0.01
            self.drive(began, began + warm_s + window_s)
            return self.counted(began + warm_s)
        finally:
            self.close()

    def counted(self, since: float) -> Latencies:
        now = time.perf_counter()
        waiting = [*self.backlog, *(connection.due for connection in self.in_flight)]
        late = [now - due for due in waiting if due >= since]
        answered = [latency for due, latency in self.answered if due >= since]
        return Latencies(tuple(sorted(answered + late)), len(late))

    def drive(self, due: float, end: float) -> None:
        while True:
            now = time.perf_counter()
            while due <= now and due < end:
                self.backlog.append(due)
                due += self.next_gap()
            self.send_backlog()
            over = due >= end
            if over and (not self.in_flight or now > end + self.drain_s):
                return
            self.wait(0.05 if over else due - now)

    def next_gap(self) -> float:
        """Seconds from one call to the next."""
        return self.gap

    def send_backlog(self) -> None:
        while self.backlog and (connection := self.take()) is not None:
            self.in_flight.add(connection)
            connection.ask(self.number, self.backlog.popleft())
            self.number += 1

    def take(self) -> Connection | None:
        if self.idle:
            return self.idle.pop()
        if len(self.by_fd) >= MAX_CLIENTS:
            return None
        connection = self.connect()
        self.by_fd[connection.sock.fileno()] = connection
        self.poll.register(connection.sock, select.EPOLLIN)
        return connection

    def connect(self) -> Connection:
        return Connection(self.url, self.workload)

    def wait(self, seconds: float) -> None:
        """`select` sleeps in microseconds where `epoll_wait` would round up to the next millisecond."""
        if seconds > 0:
            select.select([self.poll.fileno()], [], [], seconds)
        for fd, _ in self.poll.poll(0):
            connection = self.by_fd[fd]
            if connection.collect():
                self.answered.append((connection.due, time.perf_counter() - connection.due))
                self.in_flight.discard(connection)
                self.idle.append(connection)

    def close(self) -> None:
        self.poll.close()
        for connection in self.by_fd.values():
            connection.close()

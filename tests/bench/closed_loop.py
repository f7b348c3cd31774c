"""Full load: 32 kept-alive clients, each sends its next call when the last one is answered. Gives CPU per call.

The window opens after a warm-up, and the target's processor time is read at its two ends, so start-up, connects and
first-call work are outside it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator

import attrs
from wire import Connection, Workload

CLIENTS = 32


@attrs.frozen
class Window:
    """What happened between the two readings. `cpu_s` is the target's, `calls` counts batch items."""

    calls: int
    cpu_s: float
    wall_s: float

    @property
    def us_per_call(self) -> float:
        return self.cpu_s / self.calls * 1e6

    @property
    def busy(self) -> float:
        """Share of its core the target used: well below 1 means the generator was the slower one."""
        return self.cpu_s / self.wall_s


class ClosedLoop:
    """Use once: `run` opens the clients, drives them, closes them."""

    def __init__(self, url: str, workload: Workload, first: int, clients: int = CLIENTS) -> None:
        self.connections = [Connection(url, workload) for _ in range(clients)]
        self.by_fd = {connection.sock.fileno(): connection for connection in self.connections}
        self.poll = select.epoll()
        self.number = self.first = first
        self.done = 0

    def run(self, cpu: Callable[[], float], warm_s: float, window_s: float) -> Window:
        try:
            self.begin()
            self.drive(warm_s)
            calls, cpu_s, began = self.done, cpu(), time.perf_counter()
            self.drive(window_s)
            cpu_s, wall_s = cpu() - cpu_s, time.perf_counter() - began
            calls = (self.done - calls) * self.connections[0].workload.items
            self.drain()
            return Window(calls, cpu_s, wall_s)
        finally:
            self.close()

    @property
    def asked(self) -> int:
        return self.number - self.first

    def begin(self) -> None:
        for connection in self.connections:
            self.poll.register(connection.sock, select.EPOLLIN)
            self.ask(connection)

    def ask(self, connection: Connection) -> None:
        connection.ask(self.number)
        self.number += 1

    def drive(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for connection in self.answered():
                self.ask(connection)

    def drain(self) -> None:
        """The last answers are waited for: a call dropped midway would be work for the target in the next window."""
        while self.done < self.asked:
            for _ in self.answered():
                pass

    def answered(self) -> Iterator[Connection]:
        ready = self.poll.poll(5)
        if not ready:
            raise TimeoutError("the target answered nothing for 5 s")
        for fd, _ in ready:
            connection = self.by_fd[fd]
            if connection.collect():
                self.done += 1
                yield connection

    def close(self) -> None:
        self.poll.close()
        for connection in self.connections:
            connection.close()

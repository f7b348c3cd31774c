"""A real redis-server on loopback that keeps nothing on disk: stopped, killed, started again, filled up."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.e2e import standstill, toolbox

START_S: Final = 60.0


@attrs.define(eq=False)
class RedisServer:
    """`running` makes one. `password`: it asks for."""

    folder: Path
    port: int
    password: str = ""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}" if self.password else f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Empty. Returns when it answers."""
        options = ["--requirepass", self.password] if self.password else []
        command = [toolbox.redis_server(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "redis.log").read_text()
            assert time.monotonic() < end, "redis does not answer"
            time.sleep(0.02)

    def command(self, line: str) -> bytes:
        """What it answers to an inline command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line_:
            if self.password:
                line_.sendall(f"AUTH {self.password}\r\n".encode())
                line_.recv(100)
            line_.sendall(f"{line}\r\n".encode())
            return line_.recv(65_536)

    def pause(self) -> None:
        assert self._process is not None
        standstill.stop(self._process)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def running(folder: Path, password: str = "") -> Iterator[RedisServer]:
    server = RedisServer(folder, toolbox.free_port(), password)
    try:
        server.start()
        yield server
    finally:
        server.kill()

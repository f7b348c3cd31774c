"""Real clients that subscribe to heads and to the till's logs: a process of several clients per library.

They are started as the programs they are, tell what reached them line by line, and are read in a thread. `Seen` is what
one client saw, in its order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.e2e import till, toolbox
from tests.e2e.fold import Head, Log, LogEvent

START_S: Final = 60.0
_SCRIPTS: Final = Path(__file__).parent / "node"


@attrs.define(eq=False)
class Seen:
    """`numbers`, `events`: heads by number, and logs without the removed ones, where a library tells them so as well.

    `stray`: what is neither head nor log: errors, other notifications, the end of the socket. `head_at`, `log_at`: when
    a block's head and its last log came, by its hash, in monotonic seconds.
    """

    live: bool = False
    heads: list[Head] = attrs.field(factory=list)
    numbers: list[int] = attrs.field(factory=list)
    logs: list[LogEvent] = attrs.field(factory=list)
    events: list[Log] = attrs.field(factory=list)
    stray: list[Any] = attrs.field(factory=list)
    head_at: dict[str, float] = attrs.field(factory=dict)
    log_at: dict[str, float] = attrs.field(factory=dict)

    def take(self, kind: str, value: Any) -> None:
        match kind, value:
            case "live", _:
                self.live = True
            case "head", [number, hash_, parent]:
                self.heads.append(Head(number, hash_, parent))
                self.head_at[hash_] = time.monotonic()
            case "number", _:
                self.numbers.append(value)
            case "event", _:
                self.events.append(Log(*value))
            case "log", [*fields, removed]:
                event = LogEvent(Log(*fields), removed)
                self.logs.append(event)
                if not removed:
                    self.log_at[event.log.block_hash] = time.monotonic()
            case _:
                self.stray.append(value)


@attrs.define(eq=False)
class Subscribers:
    """`clients` of one library."""

    library: str
    seen: list[Seen]
    _process: subprocess.Popen[str]
    _errors: Path

    def read(self) -> None:
        assert self._process.stdout is not None
        for told in map(json.loads, self._process.stdout):
            self.seen[told["client"]].take(told["kind"], told["value"])

    def check(self) -> None:
        """They run, and nothing strange came."""
        assert self._process.poll() is None, f"{self.library} ended:\n{self._errors.read_text()[-3000:]}"
        for client, seen in enumerate(self.seen):
            assert seen.stray == [], f"{self.library} {client}"

    def wait(self, so: Callable[[Seen], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not all(map(so, self.seen)):
            self.check()
            missing = [client for client, seen in enumerate(self.seen) if not so(seen)]
            assert time.monotonic() < end, f"{self.library}: {what} did not come to the clients {missing}"
            time.sleep(0.02)


def command(library: str, url: str, address: str, clients: int) -> list[str]:
    task = json.dumps({"url": url, "till": address, "abi": till.ABI, "clients": clients})
    if library == "web3.py":
        return [sys.executable, "-m", "tests.e2e.web3_subscriber", task]
    return [toolbox.library(library)[0], str(_SCRIPTS / f"{library}_subscriber.mjs"), task]


@contextmanager
def running(library: str, url: str, address: str, clients: int, folder: Path) -> Iterator[Subscribers]:
    """Clients of `library` ("web3.py", "viem", "ethers") at the WebSocket `url`, subscribed when this begins."""
    errors = folder / f"{library}.errors"
    with errors.open("w") as stderr:
        environment = {**os.environ, "E2E_TOOLBOX": str(toolbox.TOOLBOX)}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": stderr, "text": True}
        process = subprocess.Popen(command(library, url, address, clients), cwd=toolbox.ROOT, env=environment, **pipes)
    subscribers = Subscribers(library, [Seen() for _ in range(clients)], process, errors)
    reader = threading.Thread(target=subscribers.read, name=library)
    reader.start()
    try:
        subscribers.wait(lambda seen: seen.live, START_S, "the answer to eth_subscribe")
        yield subscribers
    finally:
        process.kill()
        reader.join()
        process.communicate()

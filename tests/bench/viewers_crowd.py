"""Open dashboards without browsers: `python viewers_crowd.py PORT READERS STALLED`, until standard input ends.

Readers take what they are sent and look at none of it; the stalled ask and never read, with as little room for what
they are sent as the kernel allows. Prints a line when every reader has had a snapshot, and at the end how many
snapshots all had together.
"""

from __future__ import annotations

import select
import socket
import sys

ASK = b"GET /dashboard/events/public HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n"
MARK = b"event: snapshot"
READ = memoryview(bytearray(262_144))


def opened(port: int, *, stalled: bool) -> socket.socket:
    sock = socket.socket()
    if stalled:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.connect(("127.0.0.1", port))
    sock.sendall(ASK)
    return sock


def crowd(port: int, readers: int, stalled: int) -> int:
    """Snapshots that all readers had together."""
    by_fd = {sock.fileno(): sock for sock in [opened(port, stalled=False) for _ in range(readers)]}
    silent = [opened(port, stalled=True) for _ in range(stalled)]
    had = watched(by_fd)
    for sock in [*by_fd.values(), *silent]:
        sock.close()
    return had


def watched(by_fd: dict[int, socket.socket]) -> int:
    poll, waiting, had = select.epoll(), set(by_fd), 0
    poll.register(sys.stdin, select.EPOLLIN)
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    if not waiting:
        print("all look", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == sys.stdin.fileno():
                return had
            size = by_fd[fd].recv_into(READ)
            if not size:
                raise SystemExit("a viewer was sent away")
            found = bytes(READ[:size]).count(MARK)
            had += found
            if found and fd in waiting:
                waiting.discard(fd)
                if not waiting:
                    print("all look", flush=True)


if __name__ == "__main__":
    print(crowd(*(int(given) for given in sys.argv[1:4])), flush=True)

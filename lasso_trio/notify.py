"""What a node tells the service manager that started it: `Type=notify` of systemd, in ten lines.

The protocol is one datagram to the Unix socket that NOTIFY_SOCKET names (sd_notify(3)). That variable is no setting but
the address of whoever started us, so it is read here. Telling never waits and never fails a node: a service manager
that does not listen is its own problem.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

READY: Final = b"READY=1"
STOPPING: Final = b"STOPPING=1"


def tell(state: bytes, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `state` to the service manager. Returns whether it took it; False when there is none."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # Linux' abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as line:
        try:
            line.sendto(state, address)
        except OSError:
            return False
    return True

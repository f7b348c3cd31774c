"""How many connections the kernel lets us hold: the soft limit on open files, raised to the hard one at start.

The usual soft limit of 1024 exists for programs that use `select`; a proxy that stops accepting at its thousandth
client, without a word, is not worth that. Said in the log, with what it comes to.
"""

from __future__ import annotations

import resource
from typing import Final

import structlog

ENOUGH: Final = 1_048_576
"""What is asked for where the hard limit is infinite."""

log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Open files that this process may have from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError) as error:
            log.warning("descriptors.limit", open_files=soft, error=str(error))
    return soft


def check(open_files: int, max_connections: int) -> None:
    """Warn when the limit cannot hold the client connections that the settings promise."""
    if open_files != resource.RLIM_INFINITY and open_files < max_connections:
        log.warning("descriptors.few", open_files=open_files, max_connections=max_connections)

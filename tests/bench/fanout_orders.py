"""What the servers of the fan-out bench are told and tell, line by line.

    publish N   send event number N to everybody; answered at once
    rest        do nothing
    settle      collect garbage
    join N      N subscribers are about to come
    (an empty line ends the server)

Each order is answered by one line of JSON: when the event was given, processor seconds so far, resident KiB, members.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

ZEROS = "0" * 512


def payload(number: int) -> bytes:
    """A head as nodes tell of it, 1.5 kB."""
    word = f"0x{number:064x}"
    head = {
        "parentHash": word,
        "sha3Uncles": word,
        "miner": word[:42],
        "stateRoot": word,
        "transactionsRoot": word,
        "receiptsRoot": word,
        "logsBloom": f"0x{ZEROS}",
        "difficulty": "0x0",
        "number": f"0x{number:08x}",
        "gasLimit": "0x2255100",
        "gasUsed": "0x10a5f20",
        "timestamp": "0x6920f2ab",
        "extraData": "0x",
        "mixHash": word,
        "nonce": "0x0000000000000000",
        "baseFeePerGas": "0x1a2b3c4d",
        "withdrawalsRoot": word,
        "blobGasUsed": "0x60000",
        "excessBlobGas": "0x4b80000",
        "parentBeaconBlockRoot": word,
        "requestsHash": word,
        "hash": word,
    }
    return json.dumps(head, separators=(",", ":")).encode()


class Orders:
    """The answering half. `members`: how many are served."""

    def __init__(self, members: Callable[[], int]) -> None:
        self._members = members
        self._published = 0.0

    def note_publish(self) -> None:
        self._published = time.monotonic()

    def report(self) -> None:
        facts = {
            "published": self._published,
            "cpu": time.process_time(),
            "resident": resident_kib(),
            "members": self._members(),
        }
        print(json.dumps(facts), flush=True)


def resident_kib() -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0

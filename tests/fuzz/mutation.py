"""Inputs for the fuzzer: seeds, changed a little at a time, and what was worth keeping of them.

Without coverage: an input whose outcome was never seen before (another refusal, another kind of answer) becomes a seed
itself, so changes add up. The same `seed` and the same outcomes give the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

MOST_SEEDS: Final = 512
MOST_BYTES: Final = 4_096
MOST_CHANGES: Final = 6
_NUMBERS: Final = (b"0", b"-1", b"1e999", b"00", b"18446744073709551616", b"9" * 40, b"0x", b"4294967295", b"1.5")
_EDGES: Final = bytes((0, 1, 9, 10, 13, 32, 34, 44, 58, 91, 92, 93, 123, 125, 126, 127, 128, 192, 237, 255))


class Mutator:
    """`next()` gives an input; `keep(data)` makes it a seed. `tokens`: pieces that mean something to the reader."""

    def __init__(self, seeds: Sequence[bytes], tokens: Sequence[bytes], seed: int) -> None:
        self.seeds = list(seeds)
        self._first = len(self.seeds)
        self._tokens = (*tokens, *_NUMBERS)
        self._random = Random(seed)
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._edge,
            self._cut_out,
            self._repeat,
            self._insert,
            self._overwrite,
            self._shorten,
            self._splice,
        )

    def next(self) -> bytes:
        rng = self._random
        data = bytearray(self.seeds[int(rng.random() * len(self.seeds))])
        for _ in range(1 + int(rng.random() ** 2 * MOST_CHANGES)):
            self._changes[int(rng.random() * 8)](data)
        return bytes(data[:MOST_BYTES])

    def keep(self, data: bytes) -> None:
        """Beyond `MOST_SEEDS` a kept one gives way; the first seeds stay."""
        if len(self.seeds) < MOST_SEEDS:
            self.seeds.append(data)
        else:
            self.seeds[self._random.randrange(self._first, MOST_SEEDS)] = data

    def _at(self, data: bytearray) -> int:
        return int(self._random.random() * (len(data) + 1))

    def _span(self, data: bytearray) -> tuple[int, int]:
        start = self._at(data)
        return start, start + 1 + int(self._random.random() ** 4 * 64)

    def _flip(self, data: bytearray) -> None:
        if data:
            data[int(self._random.random() * len(data))] ^= 1 << int(self._random.random() * 8)

    def _edge(self, data: bytearray) -> None:
        if data:
            data[int(self._random.random() * len(data))] = _EDGES[int(self._random.random() * len(_EDGES))]

    def _cut_out(self, data: bytearray) -> None:
        start, end = self._span(data)
        del data[start:end]

    def _repeat(self, data: bytearray) -> None:
        start, end = self._span(data)
        data[start:start] = data[start:end] * (1 + int(self._random.random() ** 8 * 200))

    def _token(self) -> bytes:
        return self._tokens[int(self._random.random() * len(self._tokens))]

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._token()

    def _overwrite(self, data: bytearray) -> None:
        at, token = self._at(data), self._token()
        data[at : at + len(token)] = token

    def _shorten(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _splice(self, data: bytearray) -> None:
        """The beginning of this one, the end of another."""
        other = self.seeds[int(self._random.random() * len(self.seeds))]
        data[self._at(data) :] = other[int(self._random.random() * (len(other) + 1)) :]

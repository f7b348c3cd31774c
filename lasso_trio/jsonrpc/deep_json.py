"""JSON that nests deeper than the decoder may follow, checked without recursion.

How deep the C decoder goes is decided by the interpreter, from 3.12 on beyond anybody's reach. So the text is cut into
layers that are shallow enough, each with the layers inside it emptied (`[…]` becomes `[]`), and the decoder judges each
of them. It reads the same bytes from left to right as the cutter does, so the first thing that is no JSON stands in
just one layer, and there it is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

LAYER: Final = 200
"""Levels in a layer: far below what any interpreter allows, and few enough cuts to be cheap."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
_OPENS: Final = b"[{"
_CLOSES: Final = b"]}"

_decode = msgspec.json.Decoder(msgspec.Raw).decode


def is_json(text: bytes, deepest: int, layer: int = LAYER) -> bool:
    """Whether `text` is one JSON value of at most `deepest` levels. Time is linear in its size; strings as bytes."""
    try:
        for part in _layers(text, deepest, layer):
            _decode(part)
    except (msgspec.DecodeError, _Unbalanced):
        return False
    return True


class _Unbalanced(Exception):
    """The brackets do not pair, or nest too deep."""


def _layers(text: bytes, deepest: int, layer: int) -> Iterator[bytes]:
    """The layers, innermost first. Raises _Unbalanced."""
    open_layers: list[tuple[int, list[bytes]]] = [(0, [])]
    """Where the part of each that is not yet cut off begins, and what was cut off before."""
    depth = 0
    for token in _TOKEN.finditer(text):
        at = token.start()
        mark = text[at]
        if mark in _OPENS:
            depth += 1
            if depth > deepest:
                raise _Unbalanced
            if depth % layer == 0:
                begun, pieces = open_layers[-1]
                pieces.append(text[begun : at + 1])
                open_layers.append((at, []))
        elif mark in _CLOSES:
            if depth == 0:
                raise _Unbalanced
            if depth % layer == 0:
                begun, pieces = open_layers.pop()
                yield b"".join((*pieces, text[begun : at + 1]))
                open_layers[-1] = (at, open_layers[-1][1])
            depth -= 1
    if depth:
        raise _Unbalanced
    begun, pieces = open_layers[0]
    yield b"".join((*pieces, text[begun:]))

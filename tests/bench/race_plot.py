"""The race as a picture: which share of the calls took longer than x, both axes logarithmic, as an SVG of its own.

Pure: curves in, text out. Tails are what the picture is for, so the share is drawn downwards from 1 to 1 in 10 000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10

import attrs

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 860, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 78, 66
FROM_MS, TO_MS = 5.0, 5_000.0
LEAST = 1e-4
TICKS_MS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
SHARES = ((1.0, "100 %"), (0.1, "10 %"), (0.01, "1 % (p99)"), (0.001, "0.1 % (p99.9)"), (1e-4, "0.01 %"))
FONT = 'font-family="system-ui, sans-serif"'
INK, GRID, PAPER = "#222222", "#dddddd", "#ffffff"


@attrs.frozen
class Pen:
    colour: str
    dashes: str = ""


# Colours that stay apart for colour-blind readers (Okabe and Ito, 2008); lines differ by their dashes as well.
PENS = (Pen("#d55e00", "7 4"), Pen("#999999"), Pen("#e69f00", "2 3"), Pen("#0072b2"), Pen("#56b4e9", "9 3 2 3"))


def x_of(ms: float) -> float:
    held = min(max(ms, FROM_MS), TO_MS)
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(held / FROM_MS) / log10(TO_MS / FROM_MS)


def y_of(share: float) -> float:
    held = min(max(share, LEAST), 1.0)
    return TOP + (HEIGHT - TOP - BOTTOM) * log10(held) / log10(LEAST)


def drawing(title: str, note: str, curves: Mapping[str, Points]) -> str:
    """`curves`: by label, (milliseconds, share of the calls that took longer), from the fastest to the slowest."""
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        text(LEFT, 26, title, size=17, anchor="start"),
        *axes(),
        *(curve(pen, points) for pen, points in zip(PENS, curves.values(), strict=False)),
        *legend(list(curves)),
        text(WIDTH - RIGHT, HEIGHT - 10, note, size=11, anchor="end"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def axes() -> Iterator[str]:
    for ms in TICKS_MS:
        yield line(x_of(ms), TOP, x_of(ms), HEIGHT - BOTTOM)
        yield text(x_of(ms), HEIGHT - BOTTOM + 17, f"{ms}")
    for share, label in SHARES:
        yield line(LEFT, y_of(share), WIDTH - RIGHT, y_of(share))
        yield text(LEFT - 6, y_of(share) + 4, label.partition(" (")[0], anchor="end")
        if "(" in label:
            yield text(WIDTH - RIGHT - 4, y_of(share) - 5, label.partition(" (")[2].rstrip(")"), size=11, anchor="end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, "time to the answer, ms")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<g transform="rotate(-90 18 {middle:.1f})">{text(18, middle, "share of the calls that took longer")}</g>'


def curve(pen: Pen, points: Points) -> str:
    """Steps: the share falls where a call ended, not between two calls."""
    path: list[str] = []
    last = 0.0
    for ms, share in points:
        x, y = x_of(ms), y_of(share)
        path += [f"M{x:.1f},{y:.1f}"] if not path else [f"L{x:.1f},{last:.1f}", f"L{x:.1f},{y:.1f}"]
        last = y
    return f'<path d="{" ".join(path)}" fill="none" {stroke(pen)}/>'


def legend(labels: Sequence[str]) -> Iterator[str]:
    step = (WIDTH - LEFT - RIGHT) / 3
    for index, (pen, label) in enumerate(zip(PENS, labels, strict=False)):
        x, y = LEFT + index % 3 * step, 44 + index // 3 * 18
        yield f'<path d="M{x:.1f},{y} h26" {stroke(pen)}/>'
        yield text(x + 32, y + 4, label, anchor="start")


def stroke(pen: Pen) -> str:
    dashes = f' stroke-dasharray="{pen.dashes}"' if pen.dashes else ""
    return f'stroke="{pen.colour}" stroke-width="2.2"{dashes}'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}" stroke="{GRID}" stroke-width="1"/>'


def text(x: float, y: float, content: str, *, size: int = 12, anchor: str = "middle") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} {FONT} fill="{INK}">{escape(content)}</text>'

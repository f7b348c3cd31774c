"""The soak as a picture: memory, tasks and descriptors over time, each in a strip of its own, faults as shades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from race_plot import FONT, INK, PAPER, line, text
from soak_figures import WARM_UP, Fault, Sample

WIDTH, STRIP, GAP = 860, 130, 34
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 84, 64
SHADE = "#f3e3d3"
STRIPS = (
    ("rss_mib", "resident memory, MiB", "#0072b2"),
    ("tasks", "tasks", "#d55e00"),
    ("descriptors", "descriptors", "#009e73"),
)
HEIGHT = TOP + len(STRIPS) * (STRIP + GAP) - GAP + BOTTOM


def drawing(title: str, note: str, samples: Sequence[Sample], faults: Sequence[Fault]) -> str:
    """An SVG of its own."""
    last = max((sample.at for sample in samples), default=1.0) or 1.0
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        text(LEFT, 26, title, size=17, anchor="start"),
        text(LEFT, 46, "shaded: a provider was killed, stalled, throttled or slow", anchor="start"),
        *shades(faults, last),
        *(part for number, strip in enumerate(STRIPS) for part in _strip(number, strip, samples, last)),
        *minutes(last),
        text(WIDTH - RIGHT, HEIGHT - 10, note, size=11, anchor="end"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def x_of(at: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(at, last) / last


def shades(faults: Sequence[Fault], last: float) -> Iterator[str]:
    for fault in faults:
        x, width = x_of(fault.since, last), max(0.5, x_of(fault.until, last) - x_of(fault.since, last))
        height = HEIGHT - BOTTOM - TOP
        yield f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{height}" fill="{SHADE}"/>'


def _strip(number: int, strip: tuple[str, str, str], samples: Sequence[Sample], last: float) -> Iterator[str]:
    name, label, colour = strip
    top = TOP + number * (STRIP + GAP)
    most = 1.25 * max((float(getattr(sample, name)) for sample in samples), default=1.0) or 1.0
    for share in (0.0, 0.5, 1.0):
        y = top + STRIP * (1 - share)
        yield line(LEFT, y, WIDTH - RIGHT, y)
        yield text(LEFT - 6, y + 4, f"{most * share:.0f}", anchor="end")
    yield text(LEFT + 4, top - 6, label, anchor="start")
    points = [(x_of(s.at, last), top + STRIP * (1 - getattr(s, name) / most)) for s in samples]
    path = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>' if points else ""


def minutes(last: float) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    step = next((s for s in (0.5, 1, 2, 5, 10, 30) if last / 60 / s <= 10), 60)
    for number in range(int(last / 60 / step) + 1):
        x = x_of(number * step * 60, last)
        yield text(x, bottom + 17, f"{number * step:g}")
    yield text((LEFT + WIDTH - RIGHT) / 2, bottom + 36, "minutes")
    warm = x_of(WARM_UP * last, last)
    yield f'<path d="M{warm:.1f},{TOP} V{bottom}" stroke="{INK}" stroke-dasharray="3 4" opacity="0.5"/>'
    yield f'<text x="{warm + 4:.1f}" y="{TOP + 10}" font-size="10" {FONT} fill="{INK}">judged from here</text>'

"""A tally as a picture (SVG or PNG by the file's name): calls by latency, and latency by percentile.

matplotlib draws; it comes with the extra `lasso-trio[plot]` and is imported here and nowhere else.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lasso_trio.errors import ConfigError, Problem
from lasso_trio.loadtest.tally import Tally

SUFFIXES: Final = (".svg", ".png")
PERCENTILES: Final = tuple(1 - 10 ** (-step / 10) for step in range(41))
"""From 0 to 99.99 %, evenly on the axis that tails are read on."""


def check(path: Path) -> None:
    """Raises ConfigError where no picture could be made, before anything is measured."""
    problem = None
    if path.suffix not in SUFFIXES:
        problem = f"--plot {path}: the name must end in .svg or .png"
    elif find_spec("matplotlib") is None:
        problem = "--plot needs matplotlib: pip install 'lasso-trio[plot]'"
    if problem is not None:
        raise ConfigError([Problem("lasso bench", None, problem)])


def plot(path: Path, tally: Tally, title: str) -> None:
    """Write the picture. Raises OSError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    upper.set_title(title)
    for low, high, calls in tally.bars(most=60):
        upper.bar(low * 1000, calls, width=(high - low) * 1000, align="edge", color="#3465a4")
    upper.set(xscale="log", xlabel="latency, ms", ylabel="calls")
    quantiles = [(tally.latency.quantile(q) or 0.0) * 1000 for q in PERCENTILES]
    lower.step([1 / (1 - q) for q in PERCENTILES], quantiles, color="#cc0000")
    lower.set(xscale="log", xlabel="percentile", ylabel="latency, ms", ylim=(0, None))
    lower.set_xticks([1, 2, 10, 100, 1_000, 10_000], labels=["0", "50", "90", "99", "99.9", "99.99"])
    upper.xaxis.set_major_formatter("{x:g}")
    upper.xaxis.set_minor_formatter("{x:g}")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    figure.savefig(path)

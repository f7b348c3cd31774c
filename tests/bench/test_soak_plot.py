"""The soak's picture is an SVG with a curve for each figure, and a shade for each fault."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from soak_figures import Fault, Sample
from soak_plot import STRIPS, drawing, x_of

SVG = "{http://www.w3.org/2000/svg}"


def test_every_figure_has_its_curve_and_every_fault_its_shade() -> None:
    samples = [Sample(at * 2.0, 80, 150, 60, at, 0) for at in range(60)]
    faults = [Fault("second killed", 10, 16), Fault("third is slow", 30, 36)]
    root = ET.fromstring(drawing("a < b", "note", samples, faults))
    curves = [path for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "1.8"]
    assert len(curves) == len(STRIPS)
    assert len(list(root.iter(f"{SVG}rect"))) == 1 + len(faults)
    assert "a < b" in "".join(root.itertext())


def test_a_run_without_samples_is_drawn_too() -> None:
    ET.fromstring(drawing("none", "", [], []))


def test_time_goes_from_left_to_right_and_stays_inside() -> None:
    assert x_of(0, 10) < x_of(5, 10) < x_of(10, 10) == x_of(11, 10)

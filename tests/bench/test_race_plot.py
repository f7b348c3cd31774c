"""The picture is well-formed, says what its axes mean, and puts a point where its value is."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from race_plot import BOTTOM, FROM_MS, HEIGHT, LEAST, LEFT, RIGHT, TO_MS, TOP, WIDTH, drawing, x_of, y_of

SVG = "{http://www.w3.org/2000/svg}"
CURVES = {"alone <1>": [(20.0, 0.5), (50.0, 0.05), (2000.0, 0.001)], "hedged": [(20.0, 0.5), (90.0, 0.001)]}


def test_it_is_xml_with_the_labels_escaped() -> None:
    root = ET.fromstring(drawing("A & B", "note", CURVES))
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"A & B", "alone <1>", "hedged", "time to the answer, ms", "share of the calls that took longer"} <= set(
        words
    )


def test_the_scales_begin_and_end_at_the_frame() -> None:
    assert (x_of(FROM_MS), x_of(TO_MS)) == pytest.approx((LEFT, WIDTH - RIGHT))
    assert (y_of(1.0), y_of(LEAST)) == pytest.approx((TOP, HEIGHT - BOTTOM))


@given(st.floats(0, 1e6), st.floats(0, 2))
def test_no_point_leaves_the_frame(ms: float, share: float) -> None:
    assert LEFT <= x_of(ms) <= WIDTH - RIGHT
    assert TOP <= y_of(share) <= HEIGHT - BOTTOM


def test_ten_times_longer_is_the_same_step_everywhere() -> None:
    assert x_of(100) - x_of(10) == pytest.approx(x_of(1000) - x_of(100))
    assert y_of(0.01) - y_of(0.1) == pytest.approx(y_of(0.001) - y_of(0.01))


def test_curves_are_drawn_in_steps_in_pens_of_their_own() -> None:
    root = ET.fromstring(drawing("t", "n", CURVES))
    paths = [path for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert [len(path.get("d", "").split()) for path in paths] == [5, 3]
    assert len({path.get("stroke") for path in paths}) == 2

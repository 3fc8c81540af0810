"""The SVG plots: well-formed, every series named, every point inside the axes."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.plots import COLORS, Mark, cumulative_plot, line_plot

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def drawn_lines(svg: str) -> list[list[tuple[float, float]]]:
    paths = [element.get("d") or "" for element in ET.fromstring(svg).iter(f"{SVG}path")]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)] for path in paths if "L" in path
    ]


def test_a_plot_names_its_axes_series_and_marks_and_escapes_them() -> None:
    svg = line_plot("A & B", {"x < y": [(0, 1), (1, 2)]}, x="time, s", y="size, MB", marks=[Mark(0.5, "half <")])

    assert {"A & B", "x < y", "time, s", "size, MB", "half <"} <= set(texts(svg))


def test_a_line_goes_through_its_points_on_axes_from_zero() -> None:
    (line,) = drawn_lines(line_plot("t", {"a": [(0, 0), (5, 50), (10, 100)]}, x="x", y="y"))

    (left, bottom), middle, (right, top) = line
    assert middle[0] == pytest.approx((left + right) / 2, abs=0.1)
    assert middle[1] == pytest.approx((bottom + top) / 2, abs=0.1)
    assert right > left
    assert top < bottom


@pytest.mark.parametrize("values", [[0.0], [0.003, 0.0041], [7.0], [1234567.0, 99.0], [0.1 + 0.2]])
def test_every_point_is_inside_the_plot(values: list[float]) -> None:
    points = [(value, value) for value in values for _ in range(2)]
    (line,) = drawn_lines(line_plot("t", {"a": points}, x="x", y="y"))

    assert all(64 <= x <= 704 and 34 <= y <= 274 for x, y in line)


def test_a_share_reaches_all_values() -> None:
    svg = cumulative_plot("t", {"a": [3.0, 1.0, 2.0, 4.0]}, x="s")
    (line,) = drawn_lines(svg)

    assert "100" in texts(svg)
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    heights = [y for _, y in line]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[1] == pytest.approx(heights[2] - heights[3], abs=0.2)


def test_a_logarithmic_axis_has_the_same_distance_for_each_power_of_ten() -> None:
    svg = cumulative_plot("t", {"a": [0.0, 0.01, 0.1, 1.0, 5.0]}, x="s", marks=[Mark(5.0, "bound")], first=0.01)
    (line,) = drawn_lines(svg)
    across = [x for x, _ in line]

    assert across[0] == across[1] == 64
    assert across[2] - across[1] == pytest.approx(across[3] - across[2], abs=0.2)
    assert across[4] == pytest.approx(704, abs=0.1)
    assert {"0.01", "0.02", "0.05", "0.1", "1", "5"} <= set(texts(svg))


def test_long_series_keep_their_peaks() -> None:
    flat = [(float(place), 1.0) for place in range(10_000)]
    flat[5_003] = (5_003.0, 100.0)
    (line,) = drawn_lines(line_plot("t", {"a": flat}, x="x", y="y"))

    assert len(line) <= 600
    assert min(y for _, y in line) < 40


def test_more_series_than_colors_are_distinct() -> None:
    count = len(COLORS) + 2
    svg = line_plot("t", {f"s{number}": [(0, 1), (1, number)] for number in range(count)}, x="x", y="y")
    strokes = {
        (element.get("stroke"), element.get("stroke-dasharray"))
        for element in ET.fromstring(svg).iter(f"{SVG}path")
        if element.get("stroke-width") == "1.5"
    }
    assert len(strokes) == count


def test_a_plot_without_points_has_axes() -> None:
    assert "x" in texts(line_plot("t", {"a": []}, x="x", y="y"))

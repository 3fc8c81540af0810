"""Small SVG plots for the docs, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

type Points = Sequence[tuple[float, float]]

# Also distinct for people who don't see all colors (Okabe and Ito).
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_DASHES = ("", "6 3", "2 2", "8 3 2 3")
_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 46
_LEGEND_ROW, _LEGEND_COLUMN = 18, 216
_TICKS = 6
# More points than this in a line can't be distinguished.
_MOST_POINTS = 600


class Mark(NamedTuple):
    """A vertical line at `x`, with a text."""

    x: float
    text: str


def line_plot(title: str, series: Mapping[str, Points], *, x: str, y: str, marks: Iterable[Mark] = ()) -> str:
    """Draw a line for each named series, on axes from 0. `x` and `y`: the texts of the axes, with their units."""
    return _Plot(title, series, x=x, y=y, marks=marks).svg()


def cumulative_plot(
    title: str, series: Mapping[str, Sequence[float]], *, x: str, marks: Iterable[Mark] = (), first: float = 0.0
) -> str:
    """Draw the share of the values, in percent, that are at most `x`, for each named series.

    `first`: the axis begins with this power of ten and is logarithmic; smaller values are drawn there.
    """
    shares = {name: _shares(values) for name, values in series.items()}
    return _Plot(title, shares, x=x, y="share, %", marks=marks, first=first).svg()


def _shares(values: Sequence[float]) -> Points:
    ordered = sorted(values)
    return [(value, 100 * (place + 1) / len(ordered)) for place, value in enumerate(ordered)]


class _Plot:
    def __init__(
        self, title: str, series: Mapping[str, Points], *, x: str, y: str, marks: Iterable[Mark], first: float = 0.0
    ) -> None:
        self._title, self._x, self._y = title, x, y
        self._series = {name: _thinned(points) for name, points in series.items()}
        self._marks = list(marks)
        every = [point for points in series.values() for point in points]
        most = max([*(point[0] for point in every), *(mark.x for mark in self._marks)], default=1.0)
        self._first = first
        self._steps_x = _decades(first, most) if first else _steps(most)
        self._steps_y = _steps(max((point[1] for point in every), default=1.0))
        columns = (_WIDTH - _LEFT) // _LEGEND_COLUMN
        self._columns = columns
        self._legend = math.ceil(len(series) / columns) * _LEGEND_ROW

    def svg(self) -> str:
        height = _HEIGHT + self._legend
        body = [*self._axes(), *self._drawn_marks(), *self._lines(), *self._names()]
        return "\n".join(
            [
                (
                    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
                    f' font-family="sans-serif" font-size="12">'
                ),
                f"<title>{escape(self._title)}</title>",
                f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
                _text(_LEFT, 20, self._title, 'font-size="14"'),
                *body,
                "</svg>",
                "",
            ]
        )

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = (_WIDTH - _LEFT - _RIGHT) * self._share_across(x)
        up = (_HEIGHT - _TOP - _BOTTOM) * y / self._steps_y[-1]
        return _LEFT + across, _HEIGHT - _BOTTOM - up

    def _share_across(self, x: float) -> float:
        last = self._steps_x[-1]
        if not self._first:
            return x / last
        return math.log(max(x, self._first) / self._first) / math.log(last / self._first)

    def _axes(self) -> Iterable[str]:
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        for step in self._steps_y:
            height = self._place(0, step)[1]
            yield f'<path d="M{_LEFT} {height:.1f}H{right}" stroke="#dddddd"/>'
            yield _text(_LEFT - 6, height + 4, f"{step:,g}", 'text-anchor="end"')
        for step in self._steps_x:
            yield _text(self._place(step, 0)[0], bottom + 16, f"{step:,g}", 'text-anchor="middle"')
        yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" stroke="#333333" fill="none"/>'
        yield _text((_LEFT + right) / 2, bottom + 34, self._x, 'text-anchor="middle"')
        middle = (_TOP + bottom) / 2
        yield _text(16, middle, self._y, f'text-anchor="middle" transform="rotate(-90 16 {middle:g})"')

    def _drawn_marks(self) -> Iterable[str]:
        for mark in self._marks:
            across = self._place(mark.x, 0)[0]
            yield f'<path d="M{across:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#777777" stroke-dasharray="3 3"/>'
            is_right = self._share_across(mark.x) > 0.7
            anchor = 'text-anchor="end" fill="#555555"' if is_right else 'fill="#555555"'
            yield _text(across + (-4 if is_right else 4), _TOP + 12, mark.text, anchor)

    def _lines(self) -> Iterable[str]:
        for number, points in enumerate(self._series.values()):
            path = "L".join(f"{across:.1f} {up:.1f}" for across, up in (self._place(*point) for point in points))
            yield f'<path d="M{path}" fill="none" stroke-width="1.5" {_stroke(number)}/>' if points else ""

    def _names(self) -> Iterable[str]:
        for number, name in enumerate(self._series):
            across = _LEFT + number % self._columns * _LEGEND_COLUMN
            down = _HEIGHT + number // self._columns * _LEGEND_ROW
            yield f'<path d="M{across} {down}h24" stroke-width="2" {_stroke(number)}/>'
            yield _text(across + 30, down + 4, name)


def _stroke(number: int) -> str:
    dashes = _DASHES[number // len(COLORS) % len(_DASHES)]
    return f'stroke="{COLORS[number % len(COLORS)]}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _text(across: float, down: float, text: str, attributes: str = "") -> str:
    space = " " if attributes else ""
    return f'<text x="{across:g}" y="{down:g}"{space}{attributes}>{escape(text)}</text>'


def _steps(most: float) -> list[float]:
    """Return round values from 0 to at least `most`, evenly spaced."""
    rough = (most if most > 0 else 1.0) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [place * step for place in range(math.ceil(most / step - 1e-9) + 1 if most > 0 else 2)]


def _decades(first: float, most: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten from `first` to at least `most`."""
    steps: list[float] = []
    power = first
    while True:
        for factor in (1, 2, 5):
            steps.append(round(factor * power, 12))
            if steps[-1] >= most and len(steps) > 1:
                return steps
        power *= 10


def _thinned(points: Points) -> Points:
    """Return at most `_MOST_POINTS` of the points; of those side by side, the ones with the highest value."""
    size = math.ceil(len(points) / _MOST_POINTS)
    if size <= 1:
        return points
    groups = (points[place : place + size] for place in range(0, len(points), size))
    return [max(group, key=lambda point: point[1]) for group in groups]

"""This module provides small line charts as inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

WIDTH, HEIGHT = 520, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 50
_MOST_POINTS = 400

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Scale:
    """A map from values to places on the page, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return a value's place; values outside the range lie on its ends."""
        low, high, value = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> tuple[float, ...]:
        """Return round values within the range."""
        if self.log and self.low > 0 and self.high / self.low >= 8:
            return _log_ticks(self.low, self.high)
        return _linear_ticks(self.low, self.high, wanted)


def _linear_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    if not high > low:
        return (low,)
    rough = (high - low) / max(1, wanted)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 1000 else (1,)
    return tuple(m * 10.0**p for p in powers for m in steps if low <= m * 10.0**p * (1 + 1e-9) and m * 10.0**p <= high)


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: What it is.
        points: Its points, in order.
        role: The class that colours it: ``chosen``, ``baseline``, ``best`` or ``faint``.
        stepped: Whether it keeps its value until the next point.
        dots: Whether only its points are drawn.
    """

    name: str
    points: Points
    role: str
    stepped: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Rule:
    """A straight line across a chart with a word beside it: horizontal at ``y``, vertical at ``x``, or the diagonal.

    Attributes:
        text: The word.
        x: Where a vertical one stands.
        y: Where a horizontal one lies.
        role: The class that colours it.
        side: Where along a horizontal one the word stands.
    """

    text: str
    x: float | None = None
    y: float | None = None
    role: str = "faint"
    side: Literal["start", "middle", "end"] = "end"


@dataclass(frozen=True)
class Axes:
    """What a chart's axes say, and their ranges."""

    x: str
    y: str
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)


def thinned(points: Points, *, most: int = _MOST_POINTS) -> Points:
    """Return at most so many points, evenly chosen, both ends kept."""
    known = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(known) <= most:
        return known
    places = sorted({round(i * (len(known) - 1) / (most - 1)) for i in range(most)})
    return [known[place] for place in places]


def line_chart(lines: Sequence[Line], *, label: str, axes: Axes, rules: Sequence[Rule] = ()) -> Markup:
    """Return a chart; its points are listed in ``data-series``, where the page's script reads them on hover.

    Args:
        lines: The lines, the most important one last (it is drawn on top).
        label: What the chart shows, for those who cannot see it.
        axes: The axes.
        rules: Straight lines across it.
    """
    x = Scale(*axes.x_range, _LEFT, WIDTH - _RIGHT)
    y = Scale(*axes.y_range, HEIGHT - _BOTTOM, _TOP)
    kept = [(line, thinned(line.points)) for line in lines]
    series = [
        {"name": line.name, "role": line.role, "points": [[_r(x(a)), _r(y(b)), a, b] for a, b in points]}
        for line, points in kept
    ]
    body = [_frame(x, y, axes), *[_rule(rule, x, y) for rule in rules], *[_line(line, p, x, y) for line, p in kept]]
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{label}" data-x="{ax}" data-y="{ay}" '
        'data-series="{series}">{body}<g class="cursor" aria-hidden="true"></g></svg>'
    ).format(
        w=WIDTH, h=HEIGHT, label=label, ax=axes.x, ay=axes.y,
        series=json.dumps(series, separators=(",", ":")), body=Markup("").join(body),
    )  # fmt: skip


def _frame(x: Scale, y: Scale, axes: Axes) -> Markup:
    parts: list[Markup] = []
    for value in y.ticks():
        place = _r(y(value))
        parts.append(
            Markup('<line class="grid" x1="{a}" x2="{b}" y1="{p}" y2="{p}"/>'
                   '<text class="tick end" x="{t}" y="{q}">{v}</text>')
            .format(a=_LEFT, b=WIDTH - _RIGHT, p=place, t=_LEFT - 8, q=_r(place + 4.5), v=f"{value:g}")
        )  # fmt: skip
    for value in x.ticks(6):
        parts.append(
            Markup('<text class="tick middle" x="{p}" y="{q}">{v}</text>')
            .format(p=_r(x(value)), q=HEIGHT - _BOTTOM + 20, v=f"{value:g}")
        )  # fmt: skip
    parts.append(
        Markup('<line class="axis-line" x1="{a}" x2="{b}" y1="{p}" y2="{p}"/>'
               '<text class="axis-name middle" x="{m}" y="{n}">{x}</text>'
               '<text class="axis-name middle" transform="translate(16 {c}) rotate(-90)">{y}</text>')
        .format(a=_LEFT, b=WIDTH - _RIGHT, p=HEIGHT - _BOTTOM, m=(_LEFT + WIDTH - _RIGHT) / 2, n=HEIGHT - 8,
                x=axes.x, y=axes.y, c=(_TOP + HEIGHT - _BOTTOM) / 2)
    )  # fmt: skip
    return Markup("").join(parts)


def _rule(rule: Rule, x: Scale, y: Scale) -> Markup:
    if rule.x is not None:
        place, late = _r(x(rule.x)), x(rule.x) > (x.start + x.end) / 2
        ends = {"x1": place, "x2": place, "y1": y.end, "y2": y.start}
        text = {"tx": place + (-7 if late else 7), "ty": y.end + 14, "anchor": "end" if late else "start"}
    elif rule.y is not None:
        place = _r(y(rule.y))
        ends = {"x1": x.start, "x2": x.end, "y1": place, "y2": place}
        beside = {"start": x.start + 4, "middle": (x.start + x.end) / 2, "end": x.end - 4}[rule.side]
        text = {"tx": beside, "ty": place - 6 if place > y.end + 20 else place + 16, "anchor": rule.side}
    else:
        ends = {"x1": x.start, "x2": x.end, "y1": y.start, "y2": y.end}
        text = {"tx": x.end - 6, "ty": y.start - 8, "anchor": "end"}
    return Markup(
        '<line class="rule {role}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>'
        '<text class="note {anchor}" x="{tx}" y="{ty}">{text}</text>'
    ).format(role=rule.role, text=rule.text, **ends, **text)


def _line(line: Line, points: Points, x: Scale, y: Scale) -> Markup:
    places = [(_r(x(a)), _r(y(b))) for a, b in points]
    if line.dots:
        dots = [Markup('<circle cx="{}" cy="{}" r="2.6"/>').format(a, b) for a, b in places]
        return Markup('<g class="dots {}">{}</g>').format(line.role, Markup("").join(dots))
    path = ""
    for i, (a, b) in enumerate(places):
        path += f"M{a:g} {b:g}" if i == 0 else f"H{a:g}V{b:g}" if line.stepped else f"L{a:g} {b:g}"
    return Markup('<path class="line {}" d="{}"><title>{}</title></path>').format(line.role, path, escape(line.name))


def _r(value: float) -> float:
    return round(value, 1)

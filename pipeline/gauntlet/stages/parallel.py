"""This module provides the parallel coordinates of a sweep: one line a trial, one axis a parameter, AUC last.

The drawing is complete without a script; the page's script adds ranges, highlighting and a readout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gauntlet.core.search import Dimension
from gauntlet.core.trials import TrialResult
from gauntlet.stages import numerals
from gauntlet.stages.charts import Scale

WIDTH, HEIGHT = 1040, 400
TOP, BOTTOM = 56, 372
_SIDE = 62
MAXIMUM_DRAWN = 2000


@dataclass(frozen=True)
class Axis:
    """One axis: its name, its place, and its scale from values to heights."""

    name: str
    place: float
    scale: Scale

    def height(self, value: float) -> float:
        """Return the height of a value."""
        return round(self.scale(value), 1)


@dataclass(frozen=True)
class ParallelCoordinates:
    """The drawing, and the numbers that the page's script needs."""

    svg: Markup
    data: dict[str, Any]


def parallel_coordinates(
    trials: Sequence[TrialResult], *, space: Mapping[str, Dimension], best: int
) -> ParallelCoordinates | None:
    """Return the parallel coordinates of a sweep's successful trials; None if there is none.

    Args:
        trials: The trials.
        space: The search space, for the order, the range and the kind of each axis.
        best: The winner's index.
    """
    known = [trial for trial in trials if trial.auc is not None]
    if not known:
        return None
    # The best are kept where there are too many to draw, and drawn last, so that they lie on top.
    drawn = sorted(known, key=lambda t: (t.index == best, t.auc or 0.0, -t.index))[-MAXIMUM_DRAWN:]
    axes = _axes(drawn, space)
    paths = [_path(trial, axes, _role(place, len(drawn), trial.index == best)) for place, trial in enumerate(drawn)]
    label = f"Parallel coordinates of {len(drawn)} trials: {', '.join(axis.name for axis in axes)}"
    svg = Markup(
        '<svg id="parallel" viewBox="0 0 {w} {h}" role="group" aria-label="{label}">'
        '<g class="trials" aria-hidden="true">{paths}</g>{axes}</svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT,
        label=label,
        paths=Markup("").join(paths),
        axes=Markup("").join(_axis(axis, number) for number, axis in enumerate(axes)),
    )
    return ParallelCoordinates(svg=svg, data=_data(drawn, axes, best))


def _axes(trials: Sequence[TrialResult], space: Mapping[str, Dimension]) -> list[Axis]:
    names = [name for name in space if any(name in trial.params for trial in trials)]
    step = (WIDTH - 2 * _SIDE) / max(1, len(names))
    axes = []
    for number, name in enumerate(names):
        dimension = space[name]
        log = dimension.distribution in ("loguniform", "qloguniform")
        ends = (math.exp(dimension.low), math.exp(dimension.high)) if log else (dimension.low, dimension.high)
        axes.append(Axis(name, round(_SIDE + number * step, 1), Scale(*ends, BOTTOM, TOP, log=log)))
    values = [trial.auc or 0.0 for trial in trials]
    low, high = min(values), max(values)
    room = (high - low) * 0.02 or 0.001
    axes.append(Axis("AUC", float(WIDTH - _SIDE), Scale(low - room, high + room, BOTTOM, TOP)))
    return axes


def _values(trial: TrialResult, axes: Sequence[Axis]) -> list[float | None]:
    found = [trial.params.get(axis.name) for axis in axes[:-1]]
    return [None if value is None else float(value) for value in found] + [trial.auc]


def _role(place: int, number: int, best: bool) -> str:
    return "best" if best else f"q{min(4, 5 * place // max(1, number))}"


def _path(trial: TrialResult, axes: Sequence[Axis], role: str) -> Markup:
    pairs = zip(axes, _values(trial, axes), strict=True)
    places = [f"{axis.place:g} {axis.height(value):g}" for axis, value in pairs if value is not None]
    return Markup('<path class="trial {}" data-trial="{}" d="M{}"/>').format(role, trial.index, "L".join(places))


def _axis(axis: Axis, number: int) -> Markup:
    ticks = [
        Markup('<line class="tick-line" x1="-4" x2="4" y1="{y}" y2="{y}"/>'
               '<text class="tick end" x="-9" y="{t}">{v}</text>')
        .format(y=axis.height(value), t=round(axis.height(value) + 4.5, 1), v=f"{value:g}")
        for value in axis.scale.ticks(6)
    ]  # fmt: skip
    kind = "logarithmic" if axis.scale.log else ""
    label = f"{axis.name}{', logarithmic axis' if kind else ''}; no range chosen"
    return Markup(
        '<g class="axis" data-axis="{number}" transform="translate({x} 0)" tabindex="0" role="slider" '
        'aria-orientation="vertical" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50" '
        'aria-valuetext="no range chosen" aria-label="{label}">'
        '<text class="axis-title middle" y="22">{name}</text><text class="axis-kind middle" y="38">{kind}</text>'
        '<line class="axis-line" y1="{top}" y2="{bottom}"/>{ticks}'
        '<rect class="brush" x="-9" width="18" y="{top}" height="0"/>'
        '<rect class="brush-area" x="-24" width="48" y="{area}" height="{height}"/></g>'
    ).format(
        number=number, x=axis.place, label=label, name=axis.name, kind=kind, top=TOP, bottom=BOTTOM,
        ticks=Markup("").join(ticks), area=TOP - 8, height=BOTTOM - TOP + 16,
    )  # fmt: skip


def _data(trials: Sequence[TrialResult], axes: Sequence[Axis], best: int) -> dict[str, Any]:
    return {
        "top": TOP,
        "bottom": BOTTOM,
        "width": WIDTH,
        "best": best,
        "axes": [
            {"name": a.name, "place": a.place, "low": a.scale.low, "high": a.scale.high, "log": a.scale.log}
            for a in axes
        ],
        "trials": [
            {
                "index": trial.index,
                "heights": [
                    None if v is None else a.height(v) for a, v in zip(axes, _values(trial, axes), strict=True)
                ],
                "values": [numerals.parameter(v) for v in _values(trial, axes)[:-1]] + [numerals.auc(trial.auc)],
                "auc": trial.auc,
            }
            for trial in trials
        ],
    }

"""This module provides the drawing of a table for people: the same rows give the same bytes.

Figures are made as objects, without pyplot's global state, and saved as SVG with real text: sharp at any size, small,
and coloured from the palette only, so that the report can show them in a light and in a dark scheme.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from gauntlet.core.problem import Column
from gauntlet.stages.palette import LIGHT

WIDTH = 10.0
MAXIMUM_PANELS = 24
MAXIMUM_LEVELS = 12
MAXIMUM_CORRELATED = 40
MAXIMUM_ANNOTATED = 15
_DISCRETE_VALUES = 25

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gauntlet",
    # Texts of the data may hold dollar signs; they are no formulas.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT["line"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.titlecolor": LIGHT["ink"],
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["line"],
    "ytick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Sample:
    """The rows that figures are drawn from.

    Attributes:
        frame: The columns of the files, with ``label`` (0 or 1).
        total: The number of all rows.
        classes: What the negative and the positive class are called.
    """

    frame: pd.DataFrame
    total: int
    classes: tuple[str, str]

    @property
    def remark(self) -> str:
        """A phrase that says what share of the rows is drawn; empty if all are."""
        if len(self.frame) >= self.total:
            return ""
        return f"drawn from {len(self.frame):,} of {self.total:,} rows, chosen by a hash of their identifier"


@contextmanager
def style() -> Iterator[None]:
    """Hold the drawing's settings, and keep remarks about glyphs quiet: the reader's fonts draw the text."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        yield


def save(figure: Figure, path: Path, *, title: str) -> None:
    """Write a figure as SVG; nothing in it depends on the clock."""
    with style():
        figure.savefig(path, format="svg", metadata={"Date": None, "Title": title})


def label_histogram(sample: Sample, column: Column) -> Figure:
    """Return the histogram of the column that the label is made from, coloured by the label."""
    with style():
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        values, label = sample.frame[column.name], sample.frame["label"].to_numpy()
        if column.kind in ("number", "integer"):
            _numeric_histogram(axes, pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan), label)
        else:
            names, counts = _level_counts(values, label)
            _stack(axes, np.arange(len(names)), counts, width=0.7)
            axes.set_xticks(range(len(names)), names)
        axes.set_xlabel(_with_unit(column))
        axes.set_ylabel("rows")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.grid(axis="y")
        _legend(figure, sample)
        return figure


def number_boxes(sample: Sample, columns: Sequence[Column]) -> Figure:
    """Return box plots of the numeric columns by label: box of the middle half, whiskers of 1.5 times its height."""
    shown = columns[:MAXIMUM_PANELS]
    width = min(4, len(shown))
    height = math.ceil(len(shown) / width)
    with style():
        figure = Figure(figsize=(WIDTH, 0.5 + 2.05 * height), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
        grid = figure.subplots(height, width, squeeze=False).ravel()
        label = sample.frame["label"].to_numpy()
        for axes, column in zip(grid, shown, strict=False):
            values = pd.to_numeric(sample.frame[column.name]).to_numpy(dtype=float, na_value=np.nan)
            _boxes(axes, [values[label == side] for side in (0, 1)], sample.classes)
            axes.set_title(column.name)
            axes.set_ylabel(column.unit)
        for axes in grid[len(shown) :]:
            axes.remove()
        _legend(figure, sample, dropped=len(columns) - len(shown))
        return figure


def level_bars(sample: Sample, columns: Sequence[Column]) -> Figure:
    """Return bars of the most frequent levels of text and boolean columns by label, with each one's positive share."""
    shown = columns[:MAXIMUM_PANELS]
    label = sample.frame["label"].to_numpy()
    counted = [_level_counts(sample.frame[column.name], label) for column in shown]
    width = min(2, len(shown))
    rows = [counted[i : i + width] for i in range(0, len(shown), width)]
    heights = [0.75 + 0.28 * max(len(names) for names, _ in row) for row in rows]
    with style():
        figure = Figure(figsize=(WIDTH, 0.4 + sum(heights)), layout="constrained")
        grid = figure.subplots(len(rows), width, squeeze=False, gridspec_kw={"height_ratios": heights}).ravel()
        for axes, column, (names, counts) in zip(grid, shown, counted, strict=False):
            _level_panel(axes, names, counts)
            axes.set_title(column.name)
        for axes in grid[len(shown) :]:
            axes.remove()
        _legend(figure, sample, dropped=len(columns) - len(shown))
        return figure


def correlation(sample: Sample, columns: Sequence[Column]) -> Figure:
    """Return the heat map of Pearson's correlation between numeric columns, booleans and label included."""
    shown = columns[: MAXIMUM_CORRELATED - 1]
    numbers = {c.name: pd.to_numeric(sample.frame[c.name].astype("object"), errors="coerce") for c in shown}
    frame = pd.DataFrame({**numbers, "label": sample.frame["label"]}).astype(float)
    matrix = frame.corr().iloc[1:, :-1].round(2) + 0.0  # no minus before a zero
    hidden = np.triu(np.ones(matrix.shape, dtype=bool), k=1)
    annotated = len(matrix) <= MAXIMUM_ANNOTATED
    with style():
        side = max(2.2, 0.42 * len(matrix) + 1.2)
        figure = Figure(figsize=(WIDTH, min(side, WIDTH)), layout="constrained")
        axes = figure.subplots()
        sns.heatmap(
            matrix, mask=hidden, ax=axes, cmap=_signed_colours(), vmin=-1, vmax=1, cbar=False, linewidths=0,
            annot=annotated, fmt=".2f", annot_kws={"color": LIGHT["ink"], "size": 8},
        )  # fmt: skip
        axes.tick_params(length=0)
        axes.set_xticks(axes.get_xticks(), [t.get_text() for t in axes.get_xticklabels()], rotation=35, ha="right")
        axes.tick_params(axis="y", rotation=0)
        _remark(figure, sample, dropped=len(columns) - len(shown))
        return figure


def share_bars(shares: Mapping[str, float], counts: Mapping[str, int], *, axis: str) -> Figure:
    """Return one horizontal bar for each name, with its share and count."""
    names = list(shares)
    with style():
        figure = Figure(figsize=(WIDTH, 0.75 + 0.34 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(names)), [shares[name] for name in names], height=0.6, color=LIGHT["negative"])
        for position, name in enumerate(names):
            _beside(axes, f"{shares[name]:.1%} ({counts[name]:,})", at=(shares[name], position))
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, min(1.0, max([*shares.values(), 0.01]) * 1.25))
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.set_xlabel(axis)
        return figure


def _numeric_histogram(axes: Axes, values: NDArray[np.float64], label: NDArray[Any]) -> None:
    known = np.isfinite(values)
    values, label = values[known], label[known]
    distinct = np.unique(values)
    if 0 < len(distinct) <= _DISCRETE_VALUES:
        counts = np.array([[np.sum((values == v) & (label == side)) for v in distinct] for side in (0, 1)])
        step = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
        _stack(axes, distinct, counts, width=0.78 * step)
        axes.set_xticks(distinct)
        return
    edges = np.histogram_bin_edges(values, bins=40)
    counts = np.array([np.histogram(values[label == side], bins=edges)[0] for side in (0, 1)])
    _stack(axes, (edges[:-1] + edges[1:]) / 2, counts, width=0.92 * float(edges[1] - edges[0]))


def _stack(axes: Axes, positions: NDArray[Any], counts: NDArray[Any], *, width: float) -> None:
    axes.bar(positions, counts[0], width=width, color=LIGHT["negative"])
    axes.bar(positions, counts[1], width=width, bottom=counts[0], color=LIGHT["positive"])


def _boxes(axes: Axes, sides: Sequence[NDArray[np.float64]], classes: tuple[str, str]) -> None:
    known = [side[np.isfinite(side)] for side in sides]
    if all(len(side) == 0 for side in known):
        axes.text(0.5, 0.5, "no values", ha="center", va="center", transform=axes.transAxes, color=LIGHT["muted"])
        axes.set_xticks([])
        return
    extent = max(float(side.max()) for side in known if len(side)) - min(float(s.min()) for s in known if len(s))
    boxes = [_box_statistics(side, step=extent / 300) for side in known]
    for position, (box, colour) in enumerate(zip(boxes, (LIGHT["negative"], LIGHT["positive"]), strict=True)):
        if box is None:
            continue
        axes.bxp(
            [box],
            positions=[position],
            widths=0.5,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.85, "linewidth": 0.8},
            medianprops={"color": LIGHT["card"], "linewidth": 1.6},
            whiskerprops={"color": colour, "linewidth": 1.0},
            capprops={"color": colour, "linewidth": 1.0},
            flierprops={"marker": "o", "markersize": 1.6, "markerfacecolor": colour, "markeredgecolor": "none"},
        )
    axes.set_xlim(-0.6, 1.6)
    axes.set_xticks([0, 1], classes)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(axis="y")


def _box_statistics(values: NDArray[np.float64], *, step: float) -> dict[str, Any] | None:
    """Return what a box plot shows; outliers that would lie on one another are drawn once."""
    if len(values) == 0:
        return None
    low, middle, high = (float(v) for v in np.percentile(values, [25, 50, 75]))
    reach = 1.5 * (high - low)
    inside = values[(values >= low - reach) & (values <= high + reach)]
    outside = np.unique(values[(values < low - reach) | (values > high + reach)])
    if step > 0 and len(outside):
        outside = outside[np.unique(np.round(outside / step), return_index=True)[1]]
    whiskers = {"whislo": float(inside.min()), "whishi": float(inside.max())}
    return {"q1": low, "med": middle, "q3": high, **whiskers, "fliers": outside}


def _level_counts(values: pd.Series, label: NDArray[Any]) -> tuple[list[str], NDArray[Any]]:
    """Return the most frequent levels, the rest and the missing ones last, with their rows by label."""
    texts = values.astype("object").map(lambda v: None if pd.isna(v) else _shortened(str(v)))
    frequency = texts.value_counts()
    ordered = sorted(frequency.items(), key=lambda item: (-int(item[1]), str(item[0])))
    top = [str(name) for name, _ in ordered[:MAXIMUM_LEVELS]]
    masks = {name: (texts == name).to_numpy() for name in top}
    if len(ordered) > len(top):
        masks[f"{len(ordered) - len(top):,} others"] = (~texts.isin(top) & texts.notna()).to_numpy()
    if texts.isna().any():
        masks["missing"] = texts.isna().to_numpy()
    counts = np.array([[np.sum(mask & (label == side)) for mask in masks.values()] for side in (0, 1)], dtype=int)
    return list(masks), counts.reshape(2, len(masks))


def _level_panel(axes: Axes, names: Sequence[str], counts: NDArray[Any]) -> None:
    places = range(len(names))
    axes.barh(places, counts[0], height=0.66, color=LIGHT["negative"])
    axes.barh(places, counts[1], left=counts[0], height=0.66, color=LIGHT["positive"])
    totals = counts.sum(axis=0)
    for place, total, positive in zip(places, totals, counts[1], strict=True):
        share = positive / total if total else 0.0
        _beside(axes, f"{total:,} rows, {share:.1%} positive", at=(total, place))
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1, int(totals.max(initial=0))) * 1.32)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))


def _beside(axes: Axes, text: str, *, at: tuple[float, float]) -> None:
    """Write a text beside the end of a horizontal bar."""
    axes.annotate(text, at, xytext=(5, 0), textcoords="offset points", va="center", color=LIGHT["muted"])


def _signed_colours() -> LinearSegmentedColormap:
    """Return orange for -1 and blue for 1, fading to nothing at 0: it reads on a light and on a dark page."""
    low, high = to_rgb(LIGHT["positive"]), to_rgb(LIGHT["accent"])
    stops = [(0.0, (*low, 0.8)), (0.5, (*low, 0.0)), (0.5, (*high, 0.0)), (1.0, (*high, 0.8))]
    return LinearSegmentedColormap.from_list("signed", stops)


def _legend(figure: Figure, sample: Sample, *, dropped: int = 0) -> None:
    colours = (LIGHT["negative"], LIGHT["positive"])
    handles = [Patch(color=colour, label=name) for colour, name in zip(colours, sample.classes, strict=True)]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, handlelength=0.9, handleheight=0.9)
    _remark(figure, sample, dropped=dropped)


def _remark(figure: Figure, sample: Sample, *, dropped: int) -> None:
    remarks = [sample.remark, f"{dropped:,} further columns are not drawn" if dropped > 0 else ""]
    text = "; ".join(remark for remark in remarks if remark)
    if text:
        figure.supxlabel(text, fontsize=8, color=LIGHT["muted"])


def _with_unit(column: Column) -> str:
    return f"{column.name} ({column.unit})" if column.unit else column.name


def _shortened(text: str, *, length: int = 28) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"

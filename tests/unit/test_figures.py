"""The figures of the data: any kind of column can be drawn, and the same rows give the same bytes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.problem import Column
from gauntlet.stages import figures
from gauntlet.stages.figures import Sample

pytestmark = pytest.mark.unit


def sample(values: list[Any], *, total: int | None = None) -> Sample:
    label = [i % 2 for i in range(len(values))]
    frame = pd.DataFrame({"value": pd.Series(values), "other": np.linspace(0, 1, len(values)), "label": label})
    return Sample(frame=frame, total=total or len(values), classes=("others", "good"))


def drawn(figure: Any, folder: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save(figure, folder / "figure.svg", title="A figure")
    return (folder / "figure.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", [3, 4, 5, 5, 6, 7]),
        ("integer", [None, 4, 5, 5, None, 7]),
        ("number", [0.1 * i for i in range(60)]),
        ("number", [2.5] * 6),
        ("number", [float("inf"), float("nan"), 1.0, 2.0, 3.0, 1e12]),
        ("boolean", [True, False, True, None, True, False]),
        ("text", ["a", "b", None, "$\\frac", "<b>", "b"]),
    ],
)
def test_histogram_of_any_label_column(kind: Any, values: list[Any], tmp_path: Path) -> None:
    text = drawn(figures.label_histogram(sample(values), Column(name="value", kind=kind, unit="m²")), tmp_path)
    assert "value (m²)" in text
    assert "good" in text


@pytest.mark.parametrize(
    "values",
    [[1.0] * 6, [None] * 6, [1, None, None, None, None, None], [float("inf"), 1.0, 2.0, 3.0, 4.0, 5.0]],
    ids=["constant", "empty", "one value", "infinite"],
)
def test_boxes_and_correlation_of_hard_numbers(values: list[Any], tmp_path: Path) -> None:
    columns = [Column(name="value"), Column(name="other")]
    assert "other" in drawn(figures.number_boxes(sample(values), columns), tmp_path)
    assert "label" in drawn(figures.correlation(sample(values), columns), tmp_path)


def test_outliers_on_one_another_are_drawn_once_and_the_farthest_stays(tmp_path: Path) -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    values = [*draw.standard_cauchy(20_000).tolist(), 1e6]
    text = drawn(figures.number_boxes(sample(values), [Column(name="value")]), tmp_path)
    assert len(text) < 100_000
    statistics = figures._box_statistics(np.array(values), step=2e6 / 300)
    assert statistics is not None
    assert max(statistics["fliers"]) == 1e6


def test_many_levels_and_columns_are_bounded_and_the_rest_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MAXIMUM_PANELS", 3)
    values = [f"level {i % 40}" for i in range(400)]
    text = drawn(figures.level_bars(sample(values), [Column(name="value", kind="text")] * 5), tmp_path)
    assert "28 others" in text
    assert "2 further columns are not drawn" in text


def test_part_of_the_rows_is_said_and_the_whole_is_not(tmp_path: Path) -> None:
    columns = [Column(name="value")]
    whole, part = sample([1.0, 2.0, 3.0]), sample([1.0, 2.0, 3.0], total=1_000)
    assert "drawn from 3 of 1,000 rows" in drawn(figures.number_boxes(part, columns), tmp_path)
    assert "drawn from" not in drawn(figures.number_boxes(whole, columns), tmp_path)


def test_same_rows_give_the_same_bytes_without_a_date(tmp_path: Path) -> None:
    columns = [Column(name="value"), Column(name="other")]
    first, second = (drawn(figures.number_boxes(sample([1.0, 2.0, 9.0, 4.0]), columns), tmp_path) for _ in range(2))
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\d", first)
    assert drawn(figures.number_boxes(sample([1.0, 2.0, 9.0, 4.1]), columns), tmp_path) != first


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - the settings as they are at this moment

    before = dict(mpl.rcParams)
    drawn(figures.label_histogram(sample([1, 2, 3, 4]), Column(name="value")), tmp_path)
    assert dict(mpl.rcParams) == before

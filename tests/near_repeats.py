"""Rows with near repeats in them, and the comparison of all pairs that says which they are."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from gauntlet.core.problem import Column

COLUMNS = (
    Column(name="acid", resolution=0.1),
    Column(name="salt", kind="integer", resolution=2.0),
    Column(name="score"),
    Column(name="visits", kind="integer"),
    Column(name="colour", kind="text"),
)
ORDER = ("train", "validation", "test")

# Few values, most of them alike, so that near repeats are common: near each other and on both sides of a unit, with
# missing ones, both zeros and signs.
CHOICES = st.tuples(
    st.sampled_from([0.0, 0.0, 0.1, 0.2, -0.0, -0.1, 0.25, 1.0, 1.1, None]),
    st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0, 5.0, None]),
    st.sampled_from([1.0, 1.0, 1.0, 1.0 + 1e-7, 1.1, -1.0, 0.0, 1e-300, None]),
    st.sampled_from([1_000_000.0, 1_000_000.0, 1_000_000.0, 1_000_001.0, None]),
    st.sampled_from(["red", "red", "red", "white", None]),
    st.sampled_from(ORDER),
)


def rows_of(choices: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return rows with ``row_id`` and ``split``."""
    frame = pd.DataFrame(choices, columns=[*(column.name for column in COLUMNS), "split"])
    numbers = [column.name for column in COLUMNS if column.kind != "text"]
    frame = frame.astype(dict.fromkeys(numbers, "float64"))
    frame["colour"] = frame["colour"].astype(object).where(frame["colour"].notna(), None)
    return frame.assign(row_id=[f"row{number:04d}" for number in range(len(frame))])


def all_pairs(frame: pd.DataFrame, *, tolerance: float) -> set[tuple[int, int]]:
    """Return the near repeats across splits by comparing all pairs of points: rows of one split that agree are one."""
    names = [column.name for column in COLUMNS]
    points = frame.drop_duplicates([*names, "split"]).reset_index(drop=True)
    rows = points.to_dict("records")
    return {
        (a, b)
        for a, b in combinations(range(len(rows)), 2)
        if rows[a]["split"] != rows[b]["split"]
        and all(_near(column, rows[a][column.name], rows[b][column.name], tolerance) for column in COLUMNS)
    }


def _near(column: Column, first: Any, second: Any, tolerance: float) -> bool:
    if pd.isna(first) or pd.isna(second):
        return bool(pd.isna(first) and pd.isna(second))
    if column.resolution is not None:
        return bool(abs(first - second) <= column.resolution * (1 + 1e-6))
    if column.kind == "number":
        return bool(abs(first - second) <= tolerance * max(abs(first), abs(second)) * (1 + 1e-7))
    return bool(first == second)

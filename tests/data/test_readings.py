"""Tests that Spark reads cells as Python does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gauntlet.adapters.source_frames import text_column
from gauntlet.adapters.typed_rows import typed_rows
from gauntlet.core.problem import Column
from gauntlet.core.reading import CellReader, Unreadable
from tests.made_problem import make_problem
from tests.readings import cells, example_columns

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("spark")]

COLUMNS = example_columns()


def read_by_spark(spark: Any, texts: list[str | None], columns: tuple[Column, ...]) -> list[Any]:
    """Return what each column makes of each text: values and the row's reason."""
    problem = make_problem(columns=[*columns, {"name": "left", "kind": "text"}], sources=[{"name": "s", "file": "f"}])
    names = [text_column(number) for number in range(len(problem.columns))]
    schema = ", ".join(f"{name} string" for name in names)
    rows = [(*(text for _ in columns), "no", "s", 0, "", place, None) for place, text in enumerate(texts)]
    frame = spark.createDataFrame(
        rows, f"{schema}, source string, source_index int, chunk string, place long, broken string"
    )
    return typed_rows(frame, problem=problem).orderBy("place").collect()


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(cells(), min_size=400, max_size=400))
def test_spark_reads_cells_as_python_does(spark: Any, texts: list[str | None]) -> None:
    found = read_by_spark(spark, texts, COLUMNS)
    for text, row in zip(texts, found, strict=True):
        reasons = []
        for column in COLUMNS:
            value = CellReader(column).read(text)
            if isinstance(value, Unreadable):
                reasons.append(value.reason(column.name))
                value = None
            given_value = row["values"][column.name]
            assert (type(given_value), given_value) == (type(value), value), (column, text)
        assert row["reason"] == ("; ".join(reasons) or None), text

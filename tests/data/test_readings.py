"""Tests that Spark reads cells as Python does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gauntlet.core.reading import CellReader, Unreadable
from tests.benchmarks.reader_parity import all_cells, compared, spark_differences
from tests.readings import cells, example_columns, read_by_spark

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("spark")]

COLUMNS = example_columns()


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(cells(), min_size=400, max_size=400))
def test_spark_reads_cells_as_python_does(spark: Any, texts: list[str | None]) -> None:
    found = read_by_spark(spark, [(text,) * len(COLUMNS) for text in texts], COLUMNS)
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


def test_spark_reads_the_cells_of_made_files_as_init_does(spark: Any, tmp_path: Path) -> None:
    found = [compared(number, tmp_path / str(number)) for number in range(12)]
    cells = all_cells(found)
    assert spark_differences(cells, spark=spark) == []
    reading = next(reading for reading, values in cells.items() if len(values) > 1)
    cells[reading] = dict.fromkeys(cells[reading], "wrong")
    assert len(spark_differences({reading: cells[reading]}, spark=spark)) == len(cells[reading])

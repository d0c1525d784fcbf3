"""This module provides the ways to break a table, one for each kind of expectation: what it is there for goes wrong.

Breaks of one kind that hit different columns are made together, in one small table, so that one check of it tells of
all of them. A few rows are enough: a single bad one must be found.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from gauntlet.adapters.suite_files import Expectation

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ROWS = 200

_BEYOND, _NULL, _FOREIGN = "a value beyond the bounds", "no value", "a value of no such set"
_REPEATED, _RETYPED, _RENAMED = "a repeated row", "another type", "another name of a column"
_TRUNCATED, _EMPTIED = "too few rows", "no rows at all"

_BETWEEN = "expect_column_values_to_be_between"
_KINDS = {
    _BETWEEN: _BEYOND,
    "expect_column_min_to_be_between": _BEYOND,
    "expect_column_max_to_be_between": _BEYOND,
    "expect_column_mean_to_be_between": _BEYOND,
    "expect_column_median_to_be_between": _BEYOND,
    "expect_column_values_to_not_be_null": _NULL,
    "expect_column_values_to_be_in_set": _FOREIGN,
    "expect_column_values_to_be_unique": _REPEATED,
    "expect_compound_columns_to_be_unique": _REPEATED,
    "expect_column_values_to_be_of_type": _RETYPED,
    "expect_column_values_to_be_in_type_list": _RETYPED,
    "expect_table_columns_to_match_set": _RENAMED,
    "expect_table_columns_to_match_ordered_list": _RENAMED,
    "expect_column_to_exist": _RENAMED,
    "expect_table_row_count_to_be_between": _TRUNCATED,
    "expect_table_row_count_to_equal": _TRUNCATED,
}


@dataclass(frozen=True)
class Breakage:
    """Expectations that one broken table is made against.

    Attributes:
        kind: What is broken, for people.
        expectations: The expectations, no two of one column.
    """

    kind: str
    expectations: tuple[Expectation, ...]

    def __call__(self, frame: DataFrame) -> DataFrame:
        """Return the frame, broken for each of the expectations."""
        return _BREAKS[self.kind](frame, self.expectations)


def breakages(expectations: Iterable[Expectation]) -> tuple[Breakage, ...]:
    """Return how each expectation is broken, those of one kind together as far as they read different columns."""
    seen: Counter[tuple[str, str | None]] = Counter()
    together: dict[tuple[str, int], list[Expectation]] = {}
    for expectation in expectations:
        kind = _kind(expectation)
        seen[kind, expectation.column] += 1
        together.setdefault((kind, seen[kind, expectation.column]), []).append(expectation)
    return tuple(Breakage(kind, tuple(alike)) for (kind, _), alike in together.items())


def few_rows(frame: DataFrame) -> DataFrame:
    """Return a few of a table's rows, collected once, so that each break of them is quick."""
    rows: pd.DataFrame = frame.limit(ROWS).toPandas()
    return frame.sparkSession.createDataFrame(rows, frame.schema)


def _kind(expectation: Expectation) -> str:
    """Return the kind of break; where none of them fits the arguments, all rows are taken away."""
    kind = _KINDS.get(expectation.type, _EMPTIED)
    kwargs = expectation.kwargs
    if kind == _BEYOND and _beyond(kwargs) is None:
        return _EMPTIED
    if kind == _FOREIGN and _foreign(kwargs["value_set"]) is None:
        return _EMPTIED
    if kind == _TRUNCATED and kwargs.get("value", kwargs.get("min_value")) is None:
        return _EMPTIED
    return kind


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _beyond(kwargs: Any) -> float | None:
    for key, step in (("max_value", 1), ("min_value", -1)):
        if _is_number(kwargs.get(key)):
            return float(kwargs[key] + step)
    return None


def _foreign(allowed: Sequence[Any]) -> Any:
    if all(map(_is_number, allowed)):
        return max(allowed) + 1
    return "not " + " or ".join(allowed) if all(isinstance(value, str) for value in allowed) else None


def _spoilt(value_of: Callable[[Expectation], Any]) -> Callable[[DataFrame, Sequence[Expectation]], DataFrame]:
    """Return the break that puts a bad value into one more row, or into all rows where one would not count."""

    def spoil(frame: DataFrame, expectations: Sequence[Expectation]) -> DataFrame:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

        def bad(expectation: Expectation) -> Column:
            return F.lit(value_of(expectation)).cast(frame.schema[expectation.kwargs["column"]].dataType)

        values = {e.kwargs["column"]: bad(e) for e in expectations if e.kwargs["column"] in frame.columns}
        everywhere = {e.kwargs["column"] for e in expectations if not _counts_rows(e) or "mostly" in e.kwargs}
        all_rows = {column: value for column, value in values.items() if column in everywhere}
        return _with(frame, all_rows).union(_with(frame.limit(1), values))

    return spoil


def _counts_rows(expectation: Expectation) -> bool:
    return expectation.type.startswith("expect_column_values_")


def _repeat(frame: DataFrame, expectations: Sequence[Expectation]) -> DataFrame:
    tolerant = any("mostly" in expectation.kwargs for expectation in expectations)
    return frame.union(frame if tolerant else frame.limit(1))


def _retype(frame: DataFrame, expectations: Sequence[Expectation]) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    changed: dict[str, Column] = {}
    for expectation in expectations:
        column, allowed = expectation.kwargs["column"], expectation.kwargs.get("type_list")
        allowed = allowed or [expectation.kwargs.get("type_")]
        if "StringType" not in allowed:
            changed[column] = F.col(f"`{column}`").cast("string")
        else:
            changed[column] = F.length(f"`{column}`").cast("double" if "IntegerType" in allowed else "int")
    return _with(frame, {name: value for name, value in changed.items() if name in frame.columns})


def _with(frame: DataFrame, columns: dict[str, Column]) -> DataFrame:
    """Return a frame with columns replaced; Spark Connect refuses to replace none."""
    return frame.withColumns(columns) if columns else frame


def _rename(frame: DataFrame, expectations: Sequence[Expectation]) -> DataFrame:
    for expectation in expectations:
        kwargs = expectation.kwargs
        named = kwargs.get("column_set") or kwargs.get("column_list") or [kwargs.get("column")]
        frame = frame.withColumnRenamed(named[-1], f"{named[-1]}_renamed")
    return frame


def _truncate(frame: DataFrame, expectations: Sequence[Expectation]) -> DataFrame:
    fewest = min(e.kwargs["value"] if "value" in e.kwargs else e.kwargs["min_value"] for e in expectations)
    return frame.limit(max(0, math.ceil(fewest) - 1))


def _empty(frame: DataFrame, _expectations: Sequence[Expectation]) -> DataFrame:
    return frame.limit(0)


_BREAKS: dict[str, Callable[[DataFrame, Sequence[Expectation]], DataFrame]] = {
    _BEYOND: _spoilt(lambda expectation: _beyond(expectation.kwargs)),
    _NULL: _spoilt(lambda _expectation: None),
    _FOREIGN: _spoilt(lambda expectation: _foreign(expectation.kwargs["value_set"])),
    _REPEATED: _repeat,
    _RETYPED: _retype,
    _RENAMED: _rename,
    _TRUNCATED: _truncate,
    _EMPTIED: _empty,
}

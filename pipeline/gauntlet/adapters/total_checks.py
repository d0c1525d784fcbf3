"""This module provides the checks of a whole column or table: its schema, its rows, and sums over its values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from gauntlet.adapters.check_parts import (
    AVERAGED,
    NUMBERS,
    ROWS,
    SUMMED,
    Aggregate,
    Asked,
    CheckResult,
    Numbers,
    PlannedCheck,
    bounded,
    count_of_values,
    observed,
)

STDEV = "expect_column_stdev_to_be_between"

# A standard deviation from power sums is trusted if less than this share of the digits was lost, and no bound is near.
_MOST_CANCELLED = 1e4
_NEAR = 1e-8


def _columns_match_set(asked: Asked) -> CheckResult:
    expected, actual = set(asked.kwargs["column_set"]), set(asked.schema.names)
    different = {"unexpected": sorted(actual - expected), "missing": sorted(expected - actual)}
    mismatched = {key: names for key, names in different.items() if names}
    if not mismatched:
        return observed(True, sorted(actual))
    success = not different["missing"] and not asked.kwargs.get("exact_match", True)
    return observed(success, sorted(actual), details={"mismatched": mismatched})


def _columns_match_list(asked: Asked) -> CheckResult:
    return observed(asked.schema.names == asked.kwargs["column_list"], asked.schema.names)


def _columns_counted(asked: Asked) -> CheckResult:
    return observed(len(asked.schema.names) == asked.kwargs["value"], len(asked.schema.names))


def _exists(asked: Asked) -> CheckResult:
    return CheckResult(asked.name in asked.schema.names, {})


def _of_type(asked: Asked) -> CheckResult | None:
    from pyspark.sql import types  # noqa: PLC0415 - imported where Spark is

    names = asked.kwargs.get("type_list") or [asked.kwargs["type_"]]
    classes = [getattr(types, name, None) for name in names]
    if not all(isinstance(found, type) and issubclass(found, types.DataType) for found in classes):
        return None
    kind = asked.schema[asked.name].dataType
    return observed(any(isinstance(kind, found) for found in classes if found), type(kind).__name__)


def _row_count(asked: Asked) -> PlannedCheck:
    kwargs = asked.kwargs
    if "value" in kwargs:
        return PlannedCheck(asked.expectation, {}, lambda n: observed(n[ROWS] == kwargs["value"], n[ROWS]))
    return PlannedCheck(asked.expectation, {}, lambda n: bounded(n[ROWS], kwargs))


def _extreme(asked: Asked) -> PlannedCheck | None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    if asked.kind not in NUMBERS:
        return None
    which = asked.expectation.rule
    key, taken = f"{which}:{asked.name}", F.min if which.startswith("min") else F.max
    needed = {key: Aggregate(taken(asked.column), asked.name)}
    return PlannedCheck(asked.expectation, needed, lambda numbers: bounded(numbers[key], asked.kwargs))


def _total(asked: Asked) -> tuple[str, Aggregate]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return f"sum:{asked.name}", Aggregate(F.sum(asked.column.cast("double")), asked.name)


def _sum(asked: Asked) -> PlannedCheck | None:
    if asked.kind not in SUMMED:
        return None
    key, total = _total(asked)
    return PlannedCheck(asked.expectation, {key: total}, lambda numbers: bounded(numbers[key], asked.kwargs))


def _mean(asked: Asked) -> PlannedCheck | None:
    """Return the plan of a mean: the sum and the count, as Spark's own mean, whose generated code is larger."""
    if asked.kind not in AVERAGED:
        return None
    (key, total), (values, counted) = _total(asked), count_of_values(asked.name)

    def judge(numbers: Numbers) -> CheckResult:
        return bounded(numbers[key] / numbers[values] if numbers[values] else None, asked.kwargs)

    return PlannedCheck(asked.expectation, {key: total, values: counted}, judge)


def _stdev(asked: Asked) -> PlannedCheck | None:
    """Return the plan of a standard deviation: sums of the distances to a typical value, and of their squares."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    if asked.kind not in SUMMED or asked.name not in asked.shifts:
        return None
    values, counted = count_of_values(asked.name)
    distance = asked.column.cast("double") - F.lit(asked.shifts[asked.name])
    first, second = f"distances:{asked.name}", f"squares:{asked.name}"
    needed = {
        values: counted,
        first: Aggregate(F.sum(distance), asked.name),
        second: Aggregate(F.sum(distance * distance), asked.name, weight=2),
    }
    return PlannedCheck(
        asked.expectation,
        needed,
        lambda numbers: _judged_stdev(numbers[values], numbers[first], numbers[second], asked.kwargs),
    )


def _judged_stdev(count: int, first: float, second: float, kwargs: Mapping[str, Any]) -> CheckResult | None:
    if count < 2:
        return bounded(None, kwargs)
    squares = second - first * first / count
    if not math.isfinite(squares):
        return None
    if second > 0 and (squares <= 0 or second / squares > _MOST_CANCELLED):
        return None
    deviation = math.sqrt(squares / (count - 1))
    bounds = [kwargs[key] for key in ("min_value", "max_value") if key in kwargs]
    if second > 0 and any(math.isclose(deviation, bound, rel_tol=_NEAR) for bound in bounds):
        return None
    return bounded(deviation, kwargs)


TOTAL_CHECKS: Mapping[str, Callable[[Asked], PlannedCheck | None]] = {
    "expect_table_row_count_to_be_between": _row_count,
    "expect_table_row_count_to_equal": _row_count,
    "expect_column_min_to_be_between": _extreme,
    "expect_column_max_to_be_between": _extreme,
    "expect_column_sum_to_be_between": _sum,
    "expect_column_mean_to_be_between": _mean,
    STDEV: _stdev,
}

SCHEMA_CHECKS: Mapping[str, Callable[[Asked], CheckResult | None]] = {
    "expect_table_columns_to_match_set": _columns_match_set,
    "expect_table_columns_to_match_ordered_list": _columns_match_list,
    "expect_table_column_count_to_equal": _columns_counted,
    "expect_column_to_exist": _exists,
    "expect_column_values_to_be_of_type": _of_type,
    "expect_column_values_to_be_in_type_list": _of_type,
}

"""This module provides the checks of single values: the condition that each value must meet, and the counts of it.

The conditions are those of Great Expectations on Spark, and so is what they make of nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.check_parts import (
    ATOMIC,
    NUMBERS,
    ROWS,
    Asked,
    CheckResult,
    Numbers,
    PlannedCheck,
    count_of_values,
    count_where,
    unexpected_key,
)
from gauntlet.adapters.known_expectations import is_number
from gauntlet.adapters.suite_files import Expectation

if TYPE_CHECKING:
    from pyspark.sql import Column


def _within(column: Column, kwargs: Mapping[str, Any], number: type[int] | type[float]) -> Column:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    parts: list[Column] = []
    if (low := kwargs.get("min_value")) is not None:
        bound = F.lit(number(low))
        parts.append(column > bound if kwargs.get("strict_min") else column >= bound)
    if (high := kwargs.get("max_value")) is not None:
        bound = F.lit(number(high))
        parts.append(column < bound if kwargs.get("strict_max") else column <= bound)
    return parts[0] if len(parts) == 1 else parts[0] & parts[1]


def _between(asked: Asked) -> Column | None:
    return _within(asked.column, asked.kwargs, float) if asked.kind in NUMBERS else None


def _in_set(asked: Asked) -> Column | None:
    values = asked.kwargs["value_set"]
    fits = {
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        **dict.fromkeys(NUMBERS, is_number),
    }.get(asked.kind)
    return asked.column.isin(values) if fits is not None and all(map(fits, values)) else None


def _not_in_set(asked: Asked) -> Column | None:
    inside = _in_set(asked)
    return None if inside is None else ~inside


def _matches(asked: Asked) -> Column | None:
    return asked.column.rlike(asked.kwargs["regex"]) if asked.kind == "string" else None


def _matches_not(asked: Asked) -> Column | None:
    matches = _matches(asked)
    return None if matches is None else ~matches


def _length_between(asked: Asked) -> Column | None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return _within(F.length(asked.column), asked.kwargs, int) if asked.kind == "string" else None


def _length_equal(asked: Asked) -> Column | None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return F.length(asked.column) == F.lit(asked.kwargs["value"]) if asked.kind == "string" else None


def _meets(asked: Asked) -> PlannedCheck | None:
    expectation = asked.expectation
    condition = _CONDITIONS[expectation.type](asked)
    if condition is None:
        return None
    values, counted = count_of_values(asked.name)
    # A condition that is neither true nor false is no fault, as in Great Expectations.
    unexpected = asked.column.isNotNull() & ~condition
    return PlannedCheck(
        expectation,
        {values: counted, unexpected_key(expectation.name): count_where(unexpected, asked.name)},
        lambda numbers: share_of_values(expectation, numbers),
        unexpected,
    )


def has_finite_bounds(expectation: Expectation) -> bool:
    """Return whether whatever meets an expectation lies between two numbers, neither NaN nor infinite."""
    bounds = [expectation.kwargs.get(name) for name in ("min_value", "max_value")]
    about_values = expectation.type == "expect_column_values_to_be_between"
    return about_values and all(map(is_number, bounds))


def share_of_values(expectation: Expectation, numbers: Numbers) -> CheckResult:
    """Return the result of a check of the values that are there."""
    rows, unexpected = numbers[ROWS], numbers[unexpected_key(expectation.name)]
    values = numbers[f"values:{expectation.kwargs['column']}"]
    holds = values == 0 or (float(values) - float(unexpected)) / float(values) >= expectation.kwargs.get("mostly", 1)
    among = unexpected / values * 100 if values else None
    result = {
        "element_count": rows,
        "unexpected_count": unexpected,
        "unexpected_percent": among,
        "missing_count": rows - values,
        "missing_percent": (rows - values) / rows * 100 if rows else None,
        "unexpected_percent_total": unexpected / rows * 100 if rows else None,
        "unexpected_percent_nonmissing": among,
    }
    return CheckResult(holds, result)


def _nulls(asked: Asked) -> PlannedCheck:
    expectation = asked.expectation
    wanted = expectation.type == "expect_column_values_to_be_null"
    key, counted = count_of_values(asked.name)

    def judge(numbers: Numbers) -> CheckResult:
        rows = numbers[ROWS]
        unexpected = numbers[key] if wanted else rows - numbers[key]
        percent = unexpected / rows * 100 if rows else None
        holds = rows == 0 or (rows - unexpected) / rows >= expectation.kwargs.get("mostly", 1)
        result = {"element_count": rows, "unexpected_count": unexpected, "unexpected_percent": percent}
        return CheckResult(holds, result)

    return PlannedCheck(expectation, {key: counted}, judge, asked.column.isNotNull() if wanted else None)


def _unique(asked: Asked) -> PlannedCheck | None:
    expectation = asked.expectation
    if asked.kind not in ATOMIC:
        return None
    key, counted = count_of_values(asked.name)
    return PlannedCheck(
        expectation, {key: counted}, lambda numbers: share_of_values(expectation, numbers), repeats=True
    )


_CONDITIONS: Mapping[str, Callable[[Asked], Column | None]] = {
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_value_lengths_to_be_between": _length_between,
    "expect_column_value_lengths_to_equal": _length_equal,
}

VALUE_CHECKS: Mapping[str, Callable[[Asked], PlannedCheck | None]] = {
    **dict.fromkeys(_CONDITIONS, _meets),
    "expect_column_values_to_not_be_null": _nulls,
    "expect_column_values_to_be_null": _nulls,
    "expect_column_values_to_be_unique": _unique,
}

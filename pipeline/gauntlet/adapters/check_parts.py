"""This module provides the parts of a plan of checks: what Spark is asked for, and what a check found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.suite_files import Expectation

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType, StructType

ROWS = "rows"

WHOLE = ("byte", "short", "integer", "long")
FLOATING = ("float", "double")
NUMBERS = (*WHOLE, *FLOATING, "decimal")
SUMMED = (*WHOLE, *FLOATING)
AVERAGED = ("integer", "long", *FLOATING)
ATOMIC = (*NUMBERS, "string", "boolean", "date", "timestamp", "timestamp_ntz")


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        success: Whether the expectation holds.
        result: The details, with Great Expectations' keys.
    """

    success: bool
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Aggregate:
    """One number that Spark is asked for.

    Attributes:
        column: The expression.
        reads: The column of the table that it reads; empty for the number of rows.
        weight: What it adds to the size of the generated code; a plain count is 1.
    """

    column: Column
    reads: str
    weight: int = 1


Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class PlannedCheck:
    """An expectation that can be judged from numbers.

    Attributes:
        expectation: The expectation.
        aggregates: What it needs of one pass over the table, by key; equal keys mean equal numbers.
        judge: The result for the numbers of all keys and ``rows``; None where they cannot tell.
        unexpected: True for the rows that do not meet it; None where it is not about single rows.
        repeats: Whether it needs the number of rows whose value is repeated: a pass with a shuffle, under its name.
    """

    expectation: Expectation
    aggregates: Mapping[str, Aggregate]
    judge: Callable[[Numbers], CheckResult | None]
    unexpected: Column | None = None
    repeats: bool = False


@dataclass(frozen=True)
class Asked:
    """One expectation and what it asks of.

    Attributes:
        expectation: The expectation.
        schema: The table's schema.
        kind: The column's type, in Spark's words; empty where it asks of the table as a whole.
        shifts: A typical value of some columns.
    """

    expectation: Expectation
    schema: StructType
    kind: str
    shifts: Mapping[str, float] = field(default_factory=dict)

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The expectation's arguments."""
        return self.expectation.kwargs

    @property
    def name(self) -> str:
        """The column's name."""
        return str(self.kwargs["column"])

    @property
    def column(self) -> Column:
        """The column as an expression."""
        return column_of(self.name)


def column_of(name: str) -> Column:
    """Return a column by its name, whatever characters that has."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return F.col("`" + name.replace("`", "``") + "`")


def count_where(condition: Column, reads: str) -> Aggregate:
    """Return the aggregate for the number of rows for which a condition is true."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return Aggregate(F.count(F.when(condition, True)), reads, weight=2)


def count_of_values(name: str) -> tuple[str, Aggregate]:
    """Return the key of, and the aggregate for, the number of values of a column that are not null."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return f"values:{name}", Aggregate(F.count(column_of(name)), name)


def unexpected_key(name: str) -> str:
    """Return the key of the number of rows that do not meet the expectation of this name."""
    return f"unexpected:{name}"


def count_not_finite(name: str) -> tuple[str, Aggregate]:
    """Return the key of, and the aggregate for, the number of values of a column that are NaN or infinite."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    column = column_of(name)
    return f"not_finite:{name}", count_where(F.isnan(column) | (F.abs(column) == F.lit(math.inf)), name)


def is_floating(kind: DataType) -> bool:
    """Return whether a column of this type can hold NaN."""
    return kind.typeName() in FLOATING


def has_examples(kind: DataType) -> bool:
    """Return whether values of this type have an order, so that the least and the greatest can be shown."""
    return kind.typeName() in ATOMIC


def observed(success: bool, value: Any, **details: Any) -> CheckResult:
    """Return the result of a check that looks at one value."""
    return CheckResult(success, {"observed_value": value, **details})


def bounded(value: Any, kwargs: Mapping[str, Any]) -> CheckResult:
    """Return the result of holding a number against ``min_value`` and ``max_value``; none and NaN are never within."""
    if value is None or math.isnan(value):
        return observed(False, None)
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
    below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
    return observed(above and below, value)

"""This module provides the one pass over a table that counts what the checks of a suite need, and the survey of it.

All numbers come from one Spark aggregation. Where their generated code would become so large that Spark no longer
compiles it well, they are shared out by columns, so that a column is still read once. What needs a shuffle (repeated
values) or is wanted of failures only (examples) are passes of their own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.check_parts import (
    ATOMIC,
    ROWS,
    WHOLE,
    Aggregate,
    PlannedCheck,
    column_of,
    count_not_finite,
    count_of_values,
    is_floating,
    unexpected_key,
)
from gauntlet.adapters.check_plan import columns_to_shift, planned_checks
from gauntlet.adapters.suite_files import Expectation
from gauntlet.adapters.value_checks import has_finite_bounds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Measured over 11 columns: 44 conditions (88) cost little more than a scan, 66 three times as much, 132 ten times.
_LARGEST_WEIGHT = 100
_SAMPLED_ROWS = 64


@dataclass(frozen=True)
class Scan:
    """What one pass says of a table.

    Attributes:
        rows: The number of rows.
        columns: The table's columns.
        values: The number of values that are not null, by column.
        not_finite: The number of values that are NaN or infinite, by column.
        checks: The expectations that the numbers can tell of.
        numbers: The numbers, by the keys of the checks.
    """

    rows: int
    columns: frozenset[str]
    values: Mapping[str, int]
    not_finite: Mapping[str, int]
    checks: tuple[PlannedCheck, ...]
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Repeats:
    """How many rows hold a value that others hold too, with the least and the greatest such value."""

    rows: int
    examples: tuple[Any, ...] = ()


def scanned(frame: DataFrame, expectations: Sequence[Expectation], *, counted: Iterable[str] = ()) -> Scan:
    """Read a table once for all of a suite.

    Args:
        frame: The table's rows.
        expectations: What is asked of them.
        counted: More columns whose values are counted.
    """
    schema = frame.schema
    present = frozenset(schema.names)
    columns = [name for name in dict.fromkeys((*_read_by(expectations), *counted)) if name in present]
    survey = dict(_survey(columns))
    finite = dict(count_not_finite(name) for name in columns if is_floating(schema[name].dataType))
    try:
        shifts = _typical_values(frame, columns_to_shift(expectations, schema=schema))
        checks = tuple(planned_checks(expectations, schema=schema, shifts=shifts))
        needed = {key: aggregate for check in checks for key, aggregate in check.aggregates.items()}
        implied = _implied(checks, among=finite)
        told = {key: aggregate for key, aggregate in finite.items() if key not in implied}
        numbers = _numbers(frame, survey | told | needed)
        outside = {key: finite[key] for key, inside in implied.items() if numbers[inside]}
        numbers = dict.fromkeys(implied, 0) | numbers | (_numbers(frame, outside) if outside else {})
    except spark_refusals():
        # One condition that cannot be evaluated, such as a wrong pattern, must not be held against all others.
        checks, numbers = (), _numbers(frame, survey | finite)
    return Scan(
        rows=numbers[ROWS],
        columns=present,
        values={name: numbers[count_of_values(name)[0]] for name in columns},
        not_finite={name: numbers[key] for name in columns if (key := count_not_finite(name)[0]) in numbers},
        checks=checks,
        numbers=numbers,
    )


def spark_refusals() -> tuple[type[Exception], ...]:
    """Return the errors by which Spark says that it cannot evaluate something; a lost connection is none of them."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - imported where Spark is

    try:
        from py4j.protocol import (  # type: ignore[import-untyped]  # noqa: PLC0415 - imported where Spark is
            Py4JJavaError,
        )
    except ModuleNotFoundError:  # Spark Connect alone needs no Java here
        return (PySparkException,)
    return (PySparkException, Py4JJavaError)


def repeated_rows(frame: DataFrame, name: str) -> Repeats:
    """Return how many rows hold a value of a column that others hold too; nulls do not count.

    Two rows of equal values have equal hashes, and hashes are smaller to group by than texts: only where some hash is
    there twice the values themselves are compared.
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    column, kind = column_of(name), frame.schema[name].dataType
    present = frame.where(column.isNotNull())
    # Equal decimals and floats may have different hashes (-0.0), and so may texts that a collation calls equal.
    if kind.typeName() in WHOLE or kind.simpleString() == "string":
        hashes = present.groupBy(F.xxhash64(column).alias("hash")).agg(F.count(F.lit(1)).alias("rows"))
        if hashes.agg(F.max("rows")).collect()[0][0] in (None, 1):
            return Repeats(0)
    groups = present.groupBy(column.alias("value")).agg(F.count(F.lit(1)).alias("rows")).where("rows > 1")
    rows, least, greatest = groups.agg(F.sum("rows"), F.min("value"), F.max("value")).collect()[0]
    return Repeats(int(rows or 0), (least, greatest) if rows else ())


def example_values(frame: DataFrame, checks: Sequence[PlannedCheck]) -> dict[str, tuple[Any, ...]]:
    """Return the least and the greatest value that do not meet an expectation, by the expectation's name.

    Args:
        frame: The table's rows.
        checks: Checks that failed; those that are not about single values are passed over.
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    wanted: dict[str, Aggregate] = {}
    for check in checks:
        name = check.expectation.kwargs.get("column")
        if check.unexpected is None or frame.schema[str(name)].dataType.typeName() not in ATOMIC:
            continue
        values = F.when(check.unexpected, column_of(str(name)))
        for which, taken in (("least", F.min), ("greatest", F.max)):
            wanted[f"{which}:{check.expectation.name}"] = Aggregate(taken(values), str(name), weight=3)
    found = _numbers(frame, wanted) if wanted else {}
    names = [check.expectation.name for check in checks if f"least:{check.expectation.name}" in wanted]
    return {name: (found[f"least:{name}"], found[f"greatest:{name}"]) for name in names}


def _read_by(expectations: Iterable[Expectation]) -> Iterator[str]:
    for expectation in expectations:
        yield from expectation.columns


def _survey(columns: Sequence[str]) -> Iterator[tuple[str, Aggregate]]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    yield ROWS, Aggregate(F.count(F.lit(1)), "")
    for name in columns:
        yield count_of_values(name)


def _implied(checks: Sequence[PlannedCheck], *, among: Iterable[str]) -> dict[str, str]:
    """Return the counts of NaN and infinities that are 0 where another count is, with the key of that one.

    A value between two finite bounds is finite, so only a column with values outside is looked at again.
    """
    implied = {}
    for check in checks:
        if has_finite_bounds(check.expectation):
            column = check.expectation.kwargs["column"]
            implied[count_not_finite(column)[0]] = unexpected_key(check.expectation.name)
    return {key: implied[key] for key in among if key in implied}


def _typical_values(frame: DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """Return the median of the first rows' values; 0 where they have none, which costs digits only."""
    if not columns:
        return {}
    rows = frame.select(*(column_of(name).cast("double") for name in columns)).limit(_SAMPLED_ROWS).collect()
    found = (
        [value for value in part if value is not None and math.isfinite(value)] for part in zip(*rows, strict=True)
    )
    typical = {name: statistics.median_low(values) for name, values in zip(columns, found, strict=False) if values}
    return dict.fromkeys(columns, 0.0) | typical


def _numbers(frame: DataFrame, aggregates: Mapping[str, Aggregate]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for keys in _parts(aggregates):
        row = frame.agg(*(aggregates[key].column for key in keys)).collect()[0]
        found |= dict(zip(keys, row, strict=True))
    return found


def _parts(aggregates: Mapping[str, Aggregate]) -> list[list[str]]:
    """Return the keys in as few parts as the size of the generated code allows, each column's together."""
    total = sum(aggregate.weight for aggregate in aggregates.values())
    share = total / math.ceil(total / _LARGEST_WEIGHT)
    columns = list(dict.fromkeys(aggregate.reads for aggregate in aggregates.values()))
    parts: list[list[str]] = [[]]
    weight = 0
    for key in sorted(aggregates, key=lambda key: columns.index(aggregates[key].reads)):
        if parts[-1] and weight + aggregates[key].weight > max(share, 1):
            parts.append([])
            weight = 0
        parts[-1].append(key)
        weight += aggregates[key].weight
    return parts

"""This module provides the search for near repeats across splits on Spark, without comparing all pairs of rows.

Near repeats differ by at most one unit on every feature (see ``core.grouping``). Along one feature two grids of cells
a little over two units wide, one shifted by half a cell, put any two such rows into one cell of at least one of them.
With k features each row has 2^k keys, one for each choice of grids; near repeats share at least one key, so rows are
joined on keys and then compared on all features. Features are chosen by how few rows of a sample share a cell of
theirs; the sample decides how long the search takes, never what it finds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import and_
from typing import TYPE_CHECKING

import pandas as pd

from gauntlet.core.grouping import SPLIT_ORDER, TOLERANCE, NearRepeats, is_measured
from gauntlet.core.problem import Column

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

# In units. Half a cell must be wider than near repeats may lie apart, with room for what dividing rounds away.
_CELL = 2.1

_FIRST_FEATURES = 2
_MOST_FEATURES = 6
_SAMPLE_ROWS = 2000


@dataclass(frozen=True)
class _Units:
    """What near repeats agree on, and in what they may differ, as expressions over the columns of ``_values``.

    Attributes:
        keys: What they agree on, by name.
        scaled: Coordinates in which they differ by at most 1, or which both lack, by name.
    """

    keys: Mapping[str, Expression]
    scaled: Mapping[str, Expression]


def near_repeats_across(
    rows: DataFrame, *, columns: Sequence[Column], relative_tolerance: float, most_compared: int
) -> NearRepeats:
    """Return the near repeats across splits.

    Where the pairs to be compared are too many, more features are taken for the keys; if that does not help the search
    is given up, as the number of pairs would be that of all rows.

    Args:
        rows: ``row_id``, ``split`` and the features, one row a row; read several times, never persisted.
        columns: The features' descriptions.
        relative_tolerance: How far apart, relative to the greater, numbers without a resolution count as equal.
        most_compared: More pairs than this are not looked at.
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    values, units = _values(rows, columns), _units(columns, relative_tolerance)
    points = _points(values, units)
    spread = _most_spread(values, units)
    count, compared = 0, 0
    for features in range(min(_FIRST_FEATURES, len(spread)), min(_MOST_FEATURES, len(spread)) + 1):
        chosen = spread[:features]
        keyed = _keyed(points, units, chosen)
        count, compared = _survey(keyed, keys=2**features)
        if compared <= most_compared:
            least = F.min(F.struct("first", "second"))
            found = _pairs(keyed, units, chosen).agg(F.count(F.lit(1)).alias("pairs"), least.alias("least"))
            pairs, example = found.collect()[0]
            return NearRepeats(count, int(pairs), compared, None if example is None else tuple(example))
    return NearRepeats(rows=count, pairs=None, compared=compared)


def _values(rows: DataFrame, columns: Sequence[Column]) -> DataFrame:
    """Return ``row_id``, the split's place in their order, and the features as ``value0``, ``value1`` …."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    order = F.array_position(F.array(*map(F.lit, SPLIT_ORDER)), F.col("split"))
    values = [_value(column).alias(f"value{place}") for place, column in enumerate(columns)]
    return rows.select("row_id", order.alias("split"), *values)


def _value(column: Column) -> Expression:
    """Return a feature's value: a text, or a number without NaN and without a zero of its own for minus zero."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    value = F.col("`" + column.name + "`")
    if column.kind == "text":
        return value
    number = value.cast("double")
    return F.when(~F.isnan(number), number + F.lit(0.0))


def _units(columns: Sequence[Column], relative_tolerance: float) -> _Units:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    keys: dict[str, Expression] = {}
    scaled: dict[str, Expression] = {}
    for place, column in enumerate(columns):
        value = F.col(f"value{place}")
        if is_measured(column):
            scaled[f"unit{place}"] = value / F.lit(column.resolution)
        elif column.kind == "number" and relative_tolerance > 0:
            # As in the search in memory: the logarithm, in units of the tolerance, of numbers of one sign.
            keys[f"key{place}"] = F.signum(value)
            magnitude = F.when(value != 0, F.log(F.abs(value))).when(value == 0, 0.0)
            scaled[f"unit{place}"] = magnitude / F.lit(-math.log1p(-relative_tolerance))
        else:
            keys[f"key{place}"] = value
    return _Units(keys, scaled)


def _points(values: DataFrame, units: _Units) -> DataFrame:
    """Return the rows, those of one split that agree on every feature as one point, with their number."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    alike = values.groupBy(*[name for name in values.columns if name != "row_id"])
    distinct = alike.agg(F.min("row_id").alias("row_id"), F.count(F.lit(1)).alias("size"))
    shown = {**units.keys, **units.scaled}
    return distinct.select("row_id", "split", "size", *(expression.alias(name) for name, expression in shown.items()))


def _most_spread(values: DataFrame, units: _Units) -> list[str]:
    """Return the coordinates in the order of how few pairs of sampled rows share a cell of theirs."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    if not units.scaled:
        return []
    # Sampled by a hash of the identifier, so that neither the order of rows nor partitions change the choice.
    sample = values.orderBy(F.xxhash64("row_id"), "row_id").limit(_SAMPLE_ROWS)
    cells: pd.DataFrame = sample.select(
        *[F.floor(unit / _CELL).alias(name) for name, unit in units.scaled.items()]
    ).toPandas()
    pairs = {name: int((cells[name].value_counts(dropna=False) ** 2).sum()) for name in units.scaled}
    return sorted(units.scaled, key=pairs.__getitem__)


def _keyed(points: DataFrame, units: _Units, chosen: Sequence[str]) -> DataFrame:
    """Return each point once for each of its keys; ``grid`` says which grids a key is made of, one bit a feature."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    def key(grid: int) -> Expression:
        cells = [F.floor(F.col(name) / _CELL + 0.5 * (grid >> place & 1)) for place, name in enumerate(chosen)]
        return F.xxhash64(F.lit(grid), *cells, *units.keys)

    keys = F.array(*[key(grid) for grid in range(2 ** len(chosen))])
    return points.select("*", F.posexplode(keys).alias("grid", "key"))


def _survey(keyed: DataFrame, *, keys: int) -> tuple[int, int]:
    """Return the number of rows, and how many pairs of different splits share a key, counted as often as they do."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    places = range(1, len(SPLIT_ORDER) + 1)
    sizes = [F.count(F.when(F.col("split") == place, 1)).cast("double").alias(f"size{place}") for place in places]
    pairs = sum((F.col(f"size{a}") * F.col(f"size{b}") for a, b in combinations(places, 2)), F.lit(0.0))
    by_key = keyed.groupBy("key").agg(F.sum("size").alias("rows"), *sizes)
    found = by_key.agg(F.sum("rows").alias("rows"), F.sum(pairs).alias("pairs")).collect()[0]
    return int(found["rows"] or 0) // keys, int(found["pairs"] or 0)


def _pairs(keyed: DataFrame, units: _Units, chosen: Sequence[str]) -> DataFrame:
    """Return the near repeats, ``first`` in an earlier split than ``second``, each pair once."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    def both(name: str) -> tuple[Expression, Expression]:
        return F.col(f"a.{name}"), F.col(f"b.{name}")

    def apart(name: str) -> Expression:
        first, second = (F.floor(unit / _CELL) for unit in both(name))
        return (~first.eqNullSafe(second)).cast("int")

    # A pair may share several keys; it counts for the one that is shifted only where it must be.
    first_grid = sum((apart(name) * 2**place for place, name in enumerate(chosen)), F.lit(0))
    conditions = [
        *(F.col(f"a.{name}") == F.col(f"b.{name}") for name in ("key", "grid")),
        F.col("a.split") < F.col("b.split"),
        F.col("a.grid") == first_grid,
        *(first.eqNullSafe(second) for first, second in map(both, units.keys)),
        *(_near(first, second) for first, second in map(both, units.scaled)),
    ]
    joined = keyed.alias("a").join(keyed.alias("b"), reduce(and_, conditions))
    return joined.select(F.col("a.row_id").alias("first"), F.col("b.row_id").alias("second"))


def _near(first: Expression, second: Expression) -> Expression:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    return F.coalesce(F.abs(first - second) <= TOLERANCE, first.isNull() & second.isNull())

"""This module provides the rules that make typed rows of texts, and say why a row cannot be read as promised.

A frame of typed rows has ``values`` (one field for each of the problem's columns), ``texts`` (the same as they came),
``reason`` (None for a good row), ``source``, ``source_index``, ``chunk`` and ``place``. Values live inside a struct, so
that no name of a user's column can meet one of ours.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.cell_expressions import CellExpressions, trimmed_text
from gauntlet.adapters.source_frames import text_column
from gauntlet.core.problem import Column, LabelRule, Problem
from gauntlet.core.reading import SHOWN_CHARACTERS, ColumnKind

SQL_TYPES: dict[ColumnKind, str] = {
    "number": "double",
    "integer": "bigint",
    "boolean": "boolean",
    "text": "string",
    "date": "string",
}

_PLACE = ("source", "source_index", "chunk", "place")
_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def typed_rows(texts: DataFrame, *, problem: Problem) -> DataFrame:
    """Return typed rows made of texts.

    Each column's keys in the problem file say how (``core.reading``). The label's column must have a value whatever
    ``nullable`` says.
    """
    numbered = list(enumerate(problem.columns))
    given = [text_column(number) for number, _ in numbered]
    trimmed = texts.select(
        *given, *[trimmed_text(F.col(name)).alias(f"trimmed_{name}") for name in given], "broken", *_PLACE
    )
    cells = [CellExpressions(column, F.col(f"trimmed_{text_column(number)}")) for number, column in numbered]
    parsed = trimmed.select("*", *[cell.parsed.alias(f"parsed_{n}") for n, cell in enumerate(cells)])

    def struct(make: Callable[[int, CellExpressions], Expression]) -> Expression:
        return F.struct(*[make(number, cell).alias(problem.columns[number].name) for number, cell in enumerate(cells)])

    with_values = parsed.select(
        struct(lambda n, cell: cell.value(F.col(f"parsed_{n}"), text=F.col(given[n]))).alias("values"),
        struct(lambda n, _: F.col(given[n])).alias("texts"),
        struct(lambda n, cell: cell.fault(F.col(f"parsed_{n}"), text=F.col(given[n]))).alias("faults"),
        "broken",
        *_PLACE,
    )
    reason = _reason(problem.columns, label=problem.label)
    return with_values.select("values", "texts", reason.alias("reason"), *_PLACE)


def typed_from_columns(frame: DataFrame, *, problem: Problem) -> DataFrame:
    """Return typed rows of a frame whose columns have their types already (generated data)."""
    order = {source.name: index for index, source in enumerate(problem.sources)}
    index = F.lit(len(order))
    for name, number in order.items():
        index = F.when(F.col("source") == name, number).otherwise(index)
    values = [F.col(c.name).cast(SQL_TYPES[c.kind]).alias(c.name) for c in problem.columns]
    texts = [F.col(c.name).cast("string").alias(c.name) for c in problem.columns]
    return frame.select(
        F.struct(*values).alias("values"),
        F.struct(*texts).alias("texts"),
        F.lit(None).cast("string").alias("reason"),
        "source",
        index.alias("source_index"),
        F.lit("").alias("chunk"),
        F.col("source_row").cast("bigint").alias("place"),
    )


def label_expression(label: LabelRule, value: Expression) -> Expression:
    """Return the label, 0 or 1 as an integer, of the rule's column."""
    holds: Expression = _COMPARISONS[label.operator](value, F.lit(label.value))
    return holds.cast("int")


def content_digest(columns: Sequence[Column]) -> Expression:
    """Return a digest of a row's values: equal for equal rows, whatever file, format or machine they came through.

    Doubles are written by their bits (``%a``): their decimal text differs between versions of Java.
    """
    texts = [_canonical(F.col("values")[column.name], column.kind).alias(column.name) for column in columns]
    # JSON leaves no doubt where a value ends, and a missing one is left out.
    return F.sha2(F.to_json(F.struct(*texts)), 256)


def _canonical(value: Expression, kind: ColumnKind) -> Expression:
    if kind != "number":
        return value.cast("string")
    return F.when(value.isNotNull(), F.format_string("%a", value))


def _reason(columns: Sequence[Column], *, label: LabelRule) -> Expression:
    reasons = F.concat_ws("; ", *[_column_reason(column, is_label=column.name == label.column) for column in columns])
    return F.when(F.col("broken").isNotNull(), F.col("broken")).when(reasons != "", reasons)


def _column_reason(column: Column, *, is_label: bool) -> Expression:
    value, text, fault = (F.col(part)[column.name] for part in ("values", "texts", "faults"))
    wrong = F.concat(F.lit(f"{column.name}: '"), F.substring(text, 1, SHOWN_CHARACTERS), F.lit("' "), fault)
    missing = f"{column.name}: missing, so the row has no label" if is_label else f"{column.name}: missing"
    if column.nullable and not is_label:
        return F.when(fault.isNotNull(), wrong)
    return F.when(fault.isNotNull(), wrong).when(value.isNull(), F.lit(missing))

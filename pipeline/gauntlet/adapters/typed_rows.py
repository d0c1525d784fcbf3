"""This module provides the rules that make typed rows of texts, and say why a row cannot be read as promised.

A frame of typed rows has ``values`` (one field for each of the problem's columns), ``texts`` (the same as they came),
``reason`` (None for a good row), ``source``, ``source_index``, ``chunk`` and ``place``. Values live inside a struct, so
that no name of a user's column can meet one of ours.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.source_frames import text_column
from gauntlet.core.problem import Column, ColumnKind, LabelRule, Problem

SQL_TYPES: dict[ColumnKind, str] = {"number": "double", "integer": "bigint", "boolean": "boolean", "text": "string"}

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_WHOLE_NUMBER = r"^[+-]?\d+$"
# Beyond this a double does not tell neighbouring whole numbers apart.
_LARGEST_EXACT = float(2**53)
_TRUE = ("true", "1", "yes", "1.0")
_FALSE = ("false", "0", "no", "0.0")
_EXPECTED = {"number": "a number", "integer": "a whole number", "boolean": "true or false (or 0/1, yes/no)", "text": ""}
_SHOWN_CHARACTERS = 40
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

    An empty text is a missing value. A number must be finite; a whole number may be written ``7.0``. The label's column
    must have a value whatever ``nullable`` says.
    """
    pairs = [(column, F.col(text_column(index))) for index, column in enumerate(problem.columns)]
    values = F.struct(*[_value(text, column.kind).alias(column.name) for column, text in pairs])
    shown = F.struct(*[text.alias(column.name) for column, text in pairs])
    with_values = texts.select(values.alias("values"), shown.alias("texts"), "broken", *_PLACE)
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


def _value(text: Expression, kind: ColumnKind) -> Expression:
    """Return a text's value; None where it is missing or none of its kind."""
    trimmed = F.trim(text)
    if kind == "text":
        return F.when(trimmed != "", text)
    if kind == "boolean":
        word = F.lower(trimmed)
        return F.when(word.isin(*_TRUE), True).when(word.isin(*_FALSE), False)
    # The pattern first: a cast alone would take "1d", "NaN" and "Infinity" for numbers.
    double = F.when(trimmed.rlike(_NUMBER), trimmed.try_cast("double"))
    if kind == "integer":
        whole = (double == F.floor(double)) & (F.abs(double) < _LARGEST_EXACT)
        return F.when(trimmed.rlike(_WHOLE_NUMBER), trimmed.try_cast("bigint")).when(whole, double.try_cast("bigint"))
    # Adding 0.0 turns -0.0 into 0.0, which is equal to it and must give the same identifier.
    return F.when(F.abs(double) < float("inf"), double + F.lit(0.0))


def _reason(columns: Sequence[Column], *, label: LabelRule) -> Expression:
    reasons = F.concat_ws("; ", *[_column_reason(column, is_label=column.name == label.column) for column in columns])
    return F.when(F.col("broken").isNotNull(), F.col("broken")).when(reasons != "", reasons)


def _column_reason(column: Column, *, is_label: bool) -> Expression:
    value, text = F.col("values")[column.name], F.col("texts")[column.name]
    missing = F.trim(F.coalesce(text, F.lit(""))) == ""
    start = F.concat(F.lit(f"{column.name}: '"), F.substring(text, 1, _SHOWN_CHARACTERS))
    wrong = F.concat(start, F.lit(f"' is not {_EXPECTED[column.kind]}"))
    if is_label:
        expression = F.when(missing, F.lit(f"{column.name}: missing, so the row has no label"))
    else:
        expression = F.when(missing, F.lit(None if column.nullable else f"{column.name}: missing").cast("string"))
    return expression.when(value.isNull(), wrong)

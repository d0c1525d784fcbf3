"""This module provides the checking of tables: Great Expectations on Spark, with guards for what it lets pass.

Great Expectations calls most expectations met on an empty table and on a column without any value, and Spark sorts NaN
above every number, so that NaN meets a lower bound. One aggregation of our own looks for these first. Then all
expectations are evaluated as booleans, and only those that do not hold once more, for the details: five times quicker
than details for all.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.suite_files import Expectation, Suite, find_suite, import_great_expectations, load_suite
from gauntlet.adapters.suite_sentences import observed_sentence, raised_reason
from gauntlet.core.results import CheckOutcome, SuiteOutcome

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Suite", "check_table", "find_suite", "load_suite"]

# These are met by a column without values, or do not look at values.
_NULLS_WANTED = "expect_column_values_to_be_null"
_ABOUT_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
_MARK = "gauntlet_check"


@dataclass(frozen=True)
class _Survey:
    """What one aggregation says of a table.

    Attributes:
        rows: The number of rows.
        columns: The table's columns.
        values: The number of values that are not null, by column.
        not_finite: The number of values that are NaN or infinite, by column.
    """

    rows: int
    columns: frozenset[str]
    values: Mapping[str, int]
    not_finite: Mapping[str, int]


def check_table(frame: DataFrame, suite: Suite, *, table: str) -> SuiteOutcome:
    """Check a table against a suite.

    Nothing passes for want of rows or values: in an empty table every check fails, on a column without values every
    check of it (unless nulls are what is expected), with NaN or infinite values every check of the column's values, and
    a check that cannot be evaluated fails with the reason.

    Args:
        frame: The table's rows; read several times, never persisted.
        suite: The suite.
        table: The table's short name, the first part of every check's id.
    """
    survey = _survey(frame, suite.expectations)
    faults = {e.name: fault for e in suite.expectations if (fault := _fault(e, survey)) is not None}
    rest = [expectation for expectation in suite.expectations if expectation.name not in faults]
    faults |= _failures(frame, rest)
    return SuiteOutcome(
        suite=suite.name,
        suite_digest=suite.digest,
        table=table,
        rows=survey.rows,
        checks=tuple(
            CheckOutcome(
                id=f"{table}::{expectation.name}",
                rule=expectation.rule,
                column=expectation.column,
                success=expectation.name not in faults,
                observed=faults.get(expectation.name, ""),
            )
            for expectation in suite.expectations
        ),
    )


def _survey(frame: DataFrame, expectations: Iterable[Expectation]) -> _Survey:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    present = frozenset(frame.columns)
    columns = [name for name in dict.fromkeys(c for e in expectations for c in e.columns) if name in present]
    kinds = {field.name: field.dataType.typeName() for field in frame.schema.fields}
    floating = [name for name in columns if kinds[name] in ("double", "float")]

    def not_finite(name: str) -> Column:
        column = F.col(_quoted(name))
        return F.count(F.when(F.isnan(column) | (F.abs(column) == F.lit(math.inf)), True))

    counted = frame.agg(
        F.count(F.lit(1)),
        *(F.count(F.col(_quoted(name))) for name in columns),
        *(not_finite(name) for name in floating),
    ).collect()[0]
    numbers = [int(number) for number in counted]
    return _Survey(
        rows=numbers[0],
        columns=present,
        values=dict(zip(columns, numbers[1:], strict=False)),
        not_finite=dict(zip(floating, numbers[1 + len(columns) :], strict=True)),
    )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _fault(expectation: Expectation, survey: _Survey) -> str | None:
    """Return why an expectation fails before it is evaluated; None if nothing stands against evaluating it."""
    if survey.rows == 0:
        return "the table is empty"
    for name in expectation.columns:
        if name not in survey.columns:
            return f"the table has no column {name!r}"
        if survey.values[name] == 0 and expectation.type != _NULLS_WANTED:
            return "all values are null"
        bad = survey.not_finite.get(name, 0)
        if bad and expectation.type not in (_NULLS_WANTED, *_ABOUT_TYPES):
            return f"{bad} of {survey.rows} rows hold NaN or an infinity"
    return None


def _failures(frame: DataFrame, expectations: Sequence[Expectation]) -> dict[str, str]:
    """Return what was seen, for the expectations that do not hold, by name."""
    if not expectations:
        return {}
    import_great_expectations()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated arguments between Great Expectations' own parts
        batch = _batch(frame)
        first = _results(batch, expectations, {"result_format": "BOOLEAN_ONLY"})
        failed = [e for e in expectations if e.name not in first or first[e.name].success is not True]
        reasons = {e.name: _reason(first.get(e.name)) for e in failed}
        unexplained = [e for e in failed if reasons[e.name] is None]
        details = (
            _results(batch, unexplained, {"result_format": "BASIC", "partial_unexpected_count": 3})
            if unexplained
            else {}
        )
    return {e.name: reasons[e.name] or _detail(e, details.get(e.name)) for e in failed}


def _batch(frame: DataFrame) -> Any:
    """Return a frame as Great Expectations takes it: in a context of its own that keeps nothing."""
    gx = import_great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415 - takes seconds to import

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # Persisting is refused by serverless compute, and would keep rows in memory that are read a few times only.
    source = context.data_sources.add_spark("gauntlet", persist=False)
    definition = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
    return definition.get_batch(batch_parameters={"dataframe": frame})


def _results(batch: Any, expectations: Sequence[Expectation], result_format: dict[str, Any]) -> dict[str, Any]:
    """Return Great Expectations' results by the expectations' names; it gives them in an order of its own."""
    gx = import_great_expectations()
    documents = [{"type": e.type, "kwargs": dict(e.kwargs), "meta": {_MARK: e.name}} for e in expectations]
    suite = gx.ExpectationSuite(name="gauntlet", expectations=documents)
    validation = batch.validate(suite, result_format=result_format)
    return {result.expectation_config.meta[_MARK]: result for result in validation.results}


def _reason(result: Any) -> str | None:
    return "Great Expectations gave no result" if result is None else raised_reason(result.exception_info)


def _detail(expectation: Expectation, result: Any) -> str:
    return _reason(result) or observed_sentence(expectation, result.result or {})

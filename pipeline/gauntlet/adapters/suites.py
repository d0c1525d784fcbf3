"""This module provides the checking of tables: one pass of our own, Great Expectations, and guards for what it passes.

Most expectations are judged from one Spark aggregation (``one_scan``), by Great Expectations' own rules. The others go
to Great Expectations: all as booleans, and those that do not hold once more, for the details, which is five times
quicker than details for all.

Great Expectations calls most expectations met on an empty table and on a column without any value, and Spark sorts NaN
above every number, so that NaN meets a lower bound. The numbers of the pass tell of these first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.check_parts import CheckResult, PlannedCheck, unexpected_key
from gauntlet.adapters.one_scan import Repeats, Scan, example_values, repeated_rows, scanned, spark_refusals
from gauntlet.adapters.suite_files import Expectation, Suite, find_suite, import_great_expectations, load_suite
from gauntlet.adapters.suite_sentences import observed_sentence, raised_reason
from gauntlet.core.results import CheckEngine, CheckOutcome, SuiteOutcome

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["CheckedSuite", "Suite", "check_table", "checked_suite", "find_suite", "load_suite"]

# These are met by a column without values, or do not look at values.
_NULLS_WANTED = "expect_column_values_to_be_null"
_ABOUT_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
_MARK = "gauntlet_check"


@dataclass(frozen=True)
class CheckedSuite:
    """The outcome of a suite, and what the pass over the table told besides."""

    outcome: SuiteOutcome
    scan: Scan


def check_table(frame: DataFrame, suite: Suite, *, table: str) -> SuiteOutcome:
    """Check a table against a suite.

    Nothing passes for want of rows or values: in an empty table every check fails, on a column without values every
    check of it (unless nulls are what is expected), with NaN or infinite values every check of the column's values, and
    a check that cannot be evaluated fails with the reason. These failures are critical whatever the expectation's
    severity; values that do not meet an expectation fail with its own severity.

    Args:
        frame: The table's rows; read as few times as can be, never persisted.
        suite: The suite.
        table: The table's short name, the first part of every check's id.
    """
    return checked_suite(frame, suite, table=table).outcome


def checked_suite(frame: DataFrame, suite: Suite, *, table: str, counted: Iterable[str] = ()) -> CheckedSuite:
    """Check a table against a suite, and count the values of more columns in the same pass.

    Args:
        frame: As for ``check_table``.
        suite: As for ``check_table``.
        table: As for ``check_table``.
        counted: The columns to count.
    """
    scan = scanned(frame, suite.expectations, counted=counted)
    faults = {e.name: fault for e in suite.expectations if (fault := _fault(e, scan)) is not None}
    not_judged = set(faults)
    engines: dict[str, CheckEngine] = dict.fromkeys(faults, "scan")
    judged = judged_checks(frame, scan, [check for check in scan.checks if check.expectation.name not in faults])
    for check in scan.checks:
        name = check.expectation.name
        if name in judged:
            engines[name] = "second_pass" if check.repeats else "scan"
            if not judged[name].success:
                faults[name] = observed_sentence(check.expectation, judged[name].result)
    left = [expectation for expectation in suite.expectations if expectation.name not in engines]
    for name, failure in _failures(frame, left).items():
        faults[name] = failure.sentence
        if not failure.judged:
            not_judged.add(name)
    outcome = SuiteOutcome(
        suite=suite.name,
        suite_digest=suite.digest,
        table=table,
        rows=scan.rows,
        checks=tuple(
            CheckOutcome(
                id=f"{table}::{expectation.name}",
                rule=expectation.rule,
                column=expectation.column,
                success=expectation.name not in faults,
                observed=faults.get(expectation.name, ""),
                engine=engines.get(expectation.name, "great_expectations"),
                severity="critical" if expectation.name in not_judged else expectation.severity,
            )
            for expectation in suite.expectations
        ),
    )
    return CheckedSuite(outcome, scan)


def judged_checks(frame: DataFrame, scan: Scan, checks: Sequence[PlannedCheck]) -> dict[str, CheckResult]:
    """Return the results of planned checks by name, without those of which the numbers cannot tell.

    Args:
        frame: The table's rows, for repeated values and for examples of what fails.
        scan: What the pass over them told.
        checks: Some of its checks.
    """
    repeats = _repeats(frame, checks)
    numbers = {**scan.numbers, **{unexpected_key(name): found.rows for name, found in repeats.items()}}
    told = [check for check in checks if not check.repeats or check.expectation.name in repeats]
    results = {check.expectation.name: result for check in told if (result := check.judge(numbers)) is not None}
    failed = [check for check in told if (found := results.get(check.expectation.name)) and not found.success]
    examples = _examples(frame, failed) | {name: found.examples for name, found in repeats.items()}
    return {
        name: CheckResult(result.success, {**result.result, "partial_unexpected_list": examples[name]})
        if examples.get(name)
        else result
        for name, result in results.items()
    }


def _repeats(frame: DataFrame, checks: Sequence[PlannedCheck]) -> dict[str, Repeats]:
    found: dict[str, Repeats] = {}
    for check in checks:
        if check.repeats:
            try:
                found[check.expectation.name] = repeated_rows(frame, check.expectation.columns[0])
            except spark_refusals():
                continue  # it is Great Expectations' turn
    return found


def _examples(frame: DataFrame, failed: Sequence[PlannedCheck]) -> dict[str, tuple[Any, ...]]:
    try:
        return example_values(frame, failed)
    except spark_refusals():
        return {}  # the counts are the result; examples only help people


def _fault(expectation: Expectation, scan: Scan) -> str | None:
    """Return why an expectation fails before it is evaluated; None if nothing stands against evaluating it."""
    if scan.rows == 0:
        return "the table is empty"
    for name in expectation.columns:
        if name not in scan.columns:
            return f"the table has no column {name!r}"
        if scan.values[name] == 0 and expectation.type != _NULLS_WANTED:
            return "all values are null"
        bad = scan.not_finite.get(name, 0)
        if bad and expectation.type not in (_NULLS_WANTED, *_ABOUT_TYPES):
            return f"{bad} of {scan.rows} rows hold NaN or an infinity"
    return None


@dataclass(frozen=True)
class _Failure:
    """Why an expectation does not hold, and whether Great Expectations could judge it at all."""

    sentence: str
    judged: bool


def _failures(frame: DataFrame, expectations: Sequence[Expectation]) -> dict[str, _Failure]:
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
    reasons |= {e.name: _reason(details.get(e.name)) for e in unexplained}
    return {
        e.name: _Failure(reason, judged=False)
        if (reason := reasons[e.name])
        else _Failure(observed_sentence(e, details[e.name].result or {}), judged=True)
        for e in failed
    }


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

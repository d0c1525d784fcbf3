"""The packaged suites on Spark: good rows pass, every expectation has a saboteur, and emptiness is a failure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters import suites
from gauntlet.adapters.suites import Suite, check_table, find_suite, load_suite
from gauntlet.core.errors import ProblemFileError
from gauntlet.core.problem import Problem
from gauntlet.core.results import DataSource, IngestResult, SuiteOutcome
from gauntlet.stages.context import StageContext
from gauntlet.stages.expectations import expectations
from tests.data.wine_rows import ROWS, curated_rows, prediction_rows, raw_rows

pytestmark = pytest.mark.data

GOOD_ROWS: dict[str, Callable[[Any], DataFrame]] = {
    "raw": raw_rows,
    "curated": curated_rows,
    "predictions": prediction_rows,
}
Saboteur = Callable[[DataFrame], DataFrame]


def packaged(table: str) -> Suite:
    return load_suite(find_suite(f"wine_quality/{table}", problem_folder=None))


def write_suite(path: Path, *entries: tuple[str, dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    expected = [{"type": kind, "kwargs": kwargs} for kind, kwargs in entries]
    path.write_text(json.dumps({"name": "made", "expectations": expected}), encoding="utf-8")
    return path


def made_suite(folder: Path, *entries: tuple[str, dict[str, Any]]) -> Suite:
    return load_suite(write_suite(folder / "made.json", *entries))


def failed(outcome: SuiteOutcome) -> set[str]:
    return {check.id for check in outcome.checks if not check.success}


def observed(outcome: SuiteOutcome) -> dict[str, str]:
    return {check.id: check.observed for check in outcome.checks if not check.success}


# Saboteurs: each breaks a table in one way.


def one_row(column: str, value: Any) -> Saboteur:
    """Put a value into the row ``w7``."""
    return lambda frame: frame.withColumn(
        column,
        F.when(F.col("row_id") == "w7", F.lit(value)).otherwise(F.col(column)).cast(frame.schema[column].dataType),
    )


def all_rows(column: str, value: Any) -> Saboteur:
    return lambda frame: frame.withColumn(column, F.lit(value).cast(frame.schema[column].dataType))


def retyped(column: str, kind: str) -> Saboteur:
    return lambda frame: frame.withColumn(column, F.col(column).cast(kind))


def extra_column(frame: DataFrame) -> DataFrame:
    return frame.withColumn("taster", F.lit("somebody"))


def truncated(frame: DataFrame) -> DataFrame:
    return frame.limit(50)


MEASURED = (
    *("fixed_acidity", "volatile_acidity", "citric_acid", "residual_sugar", "chlorides", "free_sulfur_dioxide"),
    *("total_sulfur_dioxide", "density", "pH", "sulphates", "alcohol"),
)

# What must catch which saboteur. The saboteurs of one batch are applied to one table, each to a column of its own, and
# exactly their checks must fail: so each check catches its own, and none of the others'.
BATCHES: dict[str, tuple[str, dict[str, Saboteur]]] = {
    "raw, values": (
        "raw",
        {
            **{f"raw::{name}::between": one_row(name, 995.0) for name in MEASURED},
            "raw::quality::between": one_row("quality", 11),
            "raw::source::in_set": one_row("source", "rose"),
            "raw::row_id::unique": one_row("row_id", "w8"),
        },
    ),
    "raw, nulls": (
        "raw",
        {f"raw::{name}::not_null": one_row(name, None) for name in (*MEASURED, "quality", "is_red", "row_id")},
    ),
    "raw, shape": (
        "raw",
        {
            "raw::table::row_count_between": truncated,
            "raw::table::columns_match": extra_column,
            "raw::is_red::of_type": retyped("is_red", "string"),
        },
    ),
    "curated, values": (
        "curated",
        {
            "curated::is_red::in_set": one_row("is_red", 2.0),
            "curated::label::in_set": one_row("label", 2),
            "curated::row_id::unique": one_row("row_id", "w8"),
        },
    ),
    "curated, nulls": (
        "curated",
        {f"curated::{name}::not_null": one_row(name, None) for name in (*MEASURED, "is_red", "label", "row_id")},
    ),
    "curated, shape": (
        "curated",
        {
            "curated::table::row_count_between": truncated,
            "curated::table::columns_match": extra_column,
            **{f"curated::{name}::of_type": retyped(name, "float") for name in (*MEASURED, "is_red")},
            "curated::label::mean_between": all_rows("label", 1),
        },
    ),
    "predictions, values": (
        "predictions",
        {
            "predictions::probability::between": one_row("probability", 1.5),
            "predictions::decision::in_set": one_row("decision", 2),
            "predictions::row_id::unique": one_row("row_id", "w8"),
        },
    ),
    "predictions, nulls": (
        "predictions",
        {
            f"predictions::{name}::not_null": one_row(name, None)
            for name in ("probability", "decision", "model_version", "run_id", "scored_at", "threshold", "row_id")
        },
    ),
    "predictions, shape": (
        "predictions",
        {
            "predictions::table::columns_match": extra_column,
            "predictions::probability::of_type": retyped("probability", "float"),
        },
    ),
}


@pytest.mark.parametrize("table", GOOD_ROWS)
def test_good_rows_pass_every_expectation_without_great_expectations(
    table: str, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(suites, "import_great_expectations")
    outcome = check_table(GOOD_ROWS[table](spark), packaged(table), table=table)
    assert observed(outcome) == {}
    assert outcome.success
    assert (outcome.rows, outcome.table, outcome.suite) == (ROWS, table, f"wine_quality/{table}")
    assert outcome.suite_digest == packaged(table).digest
    assert {check.engine for check in outcome.checks if check.rule != "unique"} == {"scan"}
    assert [check.engine for check in outcome.checks if check.rule == "unique"] == ["second_pass"]


@pytest.mark.parametrize("batch", BATCHES)
def test_exactly_the_sabotaged_expectations_fail(batch: str, spark: Any) -> None:
    table, saboteurs = BATCHES[batch]
    # The row w7 is found by its identifier, so that saboteur comes last: the order of a batch.
    frame = reduce(lambda sabotaged, saboteur: saboteur(sabotaged), saboteurs.values(), GOOD_ROWS[table](spark))
    outcome = check_table(frame, packaged(table), table=table)
    assert failed(outcome) == set(saboteurs)
    assert all(observed(outcome).values())


def test_every_packaged_expectation_has_a_saboteur() -> None:
    sabotaged = [check for _, saboteurs in BATCHES.values() for check in saboteurs]
    expected = [f"{table}::{expectation.name}" for table in GOOD_ROWS for expectation in packaged(table).expectations]
    assert sorted(sabotaged) == sorted(expected)


def test_in_an_empty_table_every_check_fails(spark: Any) -> None:
    for table, rows in GOOD_ROWS.items():
        outcome = check_table(rows(spark).where("false"), packaged(table), table=table)
        assert outcome.rows == 0
        assert {check.observed for check in outcome.checks} == {"the table is empty"}
        assert not any(check.success for check in outcome.checks)


@pytest.fixture
def odd_rows(spark: Any) -> DataFrame:
    """Return rows with a column of each kind of emptiness."""
    rows = [
        (1.0, 1.0, None, "a"),
        (2.0, float("nan"), None, "b"),
        (None, 3.0, None, "c"),
        (4.0, float("inf"), None, "d"),
    ]
    frame: DataFrame = spark.createDataFrame(rows, "some double, odd double, none double, text string")
    return frame


def test_a_column_without_values_fails_every_check_of_it(odd_rows: DataFrame, tmp_path: Path) -> None:
    suite = made_suite(
        tmp_path,
        ("expect_column_values_to_be_between", {"column": "none", "min_value": 0, "max_value": 9}),
        ("expect_column_values_to_be_unique", {"column": "none"}),
        ("expect_column_values_to_be_in_set", {"column": "none", "value_set": [1]}),
        ("expect_column_values_to_not_be_null", {"column": "none", "mostly": 0.1}),
        ("expect_column_pair_values_to_be_equal", {"column_A": "text", "column_B": "none"}),
        ("expect_column_values_to_be_null", {"column": "none"}),
        ("expect_column_values_to_be_between", {"column": "some", "min_value": 0, "max_value": 9}),
    )
    outcome = check_table(odd_rows, suite, table="odd")
    assert observed(outcome) == dict.fromkeys(
        [
            "odd::none::between",
            "odd::none::unique",
            "odd::none::in_set",
            "odd::none::not_null",
            "odd::text+none::pair_values_equal",
        ],
        "all values are null",
    )


def test_nan_and_infinity_are_bad_values_whatever_mostly_says(odd_rows: DataFrame, tmp_path: Path) -> None:
    suite = made_suite(
        tmp_path,
        # Great Expectations on Spark lets NaN meet a lower bound: this is what the guard is for.
        ("expect_column_values_to_be_between", {"column": "odd", "min_value": 0}),
        ("expect_column_values_to_be_between", {"column": "odd", "min_value": 0, "mostly": 0.1}),
        ("expect_column_values_to_not_be_null", {"column": "odd"}),
        ("expect_column_values_to_be_of_type", {"column": "odd", "type_": "DoubleType"}),
        ("expect_column_values_to_be_between", {"column": "some", "min_value": 0}),
    )
    outcome = check_table(odd_rows, suite, table="odd")
    assert observed(outcome) == dict.fromkeys(
        ["odd::odd::between", "odd::odd::between_2", "odd::odd::not_null"],
        "2 of 4 rows hold NaN or an infinity",
    )


@pytest.mark.parametrize("bounds", [{"min_value": 0, "max_value": 9}, {"min_value": 0}])
def test_whether_or_not_bounds_imply_finite_values_all_that_are_not_are_told(
    odd_rows: DataFrame, tmp_path: Path, bounds: dict[str, float]
) -> None:
    wanted = ("expect_column_values_to_be_between", {"column": "odd", **bounds, "mostly": 0.1})
    assert observed(check_table(odd_rows, made_suite(tmp_path, wanted), table="odd")) == {
        "odd::odd::between": "2 of 4 rows hold NaN or an infinity"
    }
    sound = odd_rows.where("odd < 9")
    assert not observed(check_table(sound, made_suite(tmp_path, wanted), table="odd"))


def test_values_outside_of_finite_bounds_are_not_taken_for_infinities(odd_rows: DataFrame, tmp_path: Path) -> None:
    suite = made_suite(
        tmp_path, ("expect_column_values_to_be_between", {"column": "some", "min_value": 2, "max_value": 9})
    )
    assert observed(check_table(odd_rows, suite, table="odd")) == {
        "odd::some::between": "1 of 4 rows outside 2…9, e.g. 1"
    }


def test_what_cannot_be_evaluated_fails_with_its_reason_and_alone(odd_rows: DataFrame, tmp_path: Path) -> None:
    suite = made_suite(
        tmp_path,
        ("expect_column_values_to_not_be_null", {"column": "nowhere"}),
        ("expect_column_values_to_be_between", {"column": "text", "min_value": 0}),
        ("expect_column_to_exist", {"column": "nowhere"}),
        ("expect_column_values_to_not_be_null", {"column": "text"}),
    )
    seen = observed(check_table(odd_rows, suite, table="odd"))
    assert set(seen) == {"odd::nowhere::not_null", "odd::text::between", "odd::nowhere::exist"}
    assert seen["odd::nowhere::not_null"] == "the table has no column 'nowhere'"
    assert seen["odd::text::between"].startswith("could not be evaluated: ")
    assert "StringType" in seen["odd::text::between"]


def test_an_expectation_without_a_result_is_a_failure(
    odd_rows: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = made_suite(tmp_path, ("expect_column_median_to_be_between", {"column": "some", "min_value": 0}))
    monkeypatch.setattr(suites, "_results", lambda *_: {})
    outcome = check_table(odd_rows, suite, table="odd")
    assert observed(outcome) == {"odd::some::median_between": "Great Expectations gave no result"}


def test_details_are_asked_only_of_what_fails(
    odd_rows: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []
    results = suites._results

    def recorded(batch: Any, expected: Any, result_format: dict[str, Any]) -> dict[str, Any]:
        asked.append((result_format["result_format"], [expectation.name for expectation in expected]))
        return results(batch, expected, result_format)

    monkeypatch.setattr(suites, "_results", recorded)
    good = ("expect_column_values_to_match_regex_list", {"column": "text", "regex_list": ["[a-z]"]})
    bad = ("expect_column_values_to_match_regex_list", {"column": "text", "regex_list": ["a"]})
    planned = ("expect_column_values_to_be_between", {"column": "some", "max_value": 3})
    outcome = check_table(odd_rows, made_suite(tmp_path, good, bad, planned), table="odd")
    names = ["text::match_regex_list", "text::match_regex_list_2"]
    assert asked == [("BOOLEAN_ONLY", names), ("BASIC", names[1:])]
    assert observed(outcome) == {
        "odd::text::match_regex_list_2": "3 of 4 rows otherwise than expected, e.g. 'b', 'c', 'd'",
        "odd::some::between": "1 of 4 rows above 3, e.g. 4",
    }
    assert [check.engine for check in outcome.checks] == ["great_expectations", "great_expectations", "scan"]
    asked.clear()
    assert check_table(odd_rows, made_suite(tmp_path, good), table="odd").success
    assert asked == [("BOOLEAN_ONLY", names[:1])]


@pytest.mark.local_only("looks into Spark's own process")
def test_nothing_is_persisted_and_the_terminal_stays_quiet(
    spark: Any, odd_rows: DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def persisted() -> int:
        return int(spark.sparkContext._jsc.getPersistentRDDs().size())

    before = persisted()
    suite = made_suite(tmp_path, ("expect_column_values_to_be_between", {"column": "text", "min_value": 0}))
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # as in a program that configured no logging
    try:
        assert not check_table(odd_rows, suite, table="odd").success
    finally:
        root.handlers = handlers
    assert persisted() == before
    assert not odd_rows.is_cached
    assert capsys.readouterr() == ("", "")
    odd_rows.persist().count()
    assert persisted() == before + 1  # it would have been seen
    odd_rows.unpersist(blocking=True)


def test_values_fail_with_the_severity_of_the_suite_and_what_cannot_be_judged_is_critical(
    odd_rows: DataFrame, tmp_path: Path
) -> None:
    def between(column: str, severity: str) -> dict[str, Any]:
        kwargs = {"column": column, "min_value": 2, "max_value": 3}
        return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "severity": severity}

    # Great Expectations itself judges the median, and cannot judge that of a text.
    medians = [
        {**between(column, "warning"), "type": "expect_column_median_to_be_between"} for column in ("some", "text")
    ]
    entries = [between("some", "warning"), between("some", "info"), between("some", "critical"), *medians]
    entries += [between(column, "warning") for column in ("odd", "none", "missing")]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "expectations": entries}), encoding="utf-8")
    outcome = check_table(odd_rows, load_suite(path), table="odd")
    assert {check.id: check.severity for check in outcome.checks if not check.success} == {
        "odd::some::between": "warning",
        "odd::some::between_2": "info",
        "odd::some::between_3": "critical",
        "odd::text::median_between": "critical",
        "odd::odd::between": "critical",
        "odd::none::between": "critical",
        "odd::missing::between": "critical",
    }


def ingested(context: StageContext, raw: DataFrame, curated: DataFrame) -> IngestResult:
    tables = context.target.tables
    return IngestResult(
        source=DataSource(origin="folder", description="made", synthetic=False, files={}),
        raw=tables.write("raw", raw),
        curated=tables.write("curated", curated),
        quarantine=None,
        rows=ROWS,
        bad_rows=0,
        duplicate_rows=0,
        positives=24,
    )


def test_the_stage_refuses_with_a_sentence_and_leaves_one_run(
    spark: Any, wine_problem: Problem, make_context: Callable[..., StageContext], tmp_path: Path
) -> None:
    context = make_context(wine_problem, stage="expectations", problem_folder=tmp_path)
    folder = tmp_path / "suites" / "wine_quality"
    write_suite(
        folder / "raw.json",
        ("expect_column_values_to_be_between", {"column": "alcohol", "min_value": 7, "max_value": 16}),
        ("expect_column_values_to_not_be_null", {"column": "alcohol"}),
    )
    write_suite(
        folder / "curated.json", ("expect_column_values_to_be_in_set", {"column": "label", "value_set": [0, 1]})
    )
    inputs = ingested(context, one_row("alcohol", 93.1)(raw_rows(spark)), curated_rows(spark))
    results = [expectations(context, ingest=inputs) for _ in range(2)]
    assert results[0] == results[1]
    assert results[0].refusal == (
        "1 of 3 expectations failed: raw::alcohol::between (1 of 120 rows outside 7…16, e.g. 93.1)"
    )
    assert [outcome.success for outcome in results[0].suites] == [False, True]
    tracking = context.target.tracking
    (run,) = tracking.client.search_runs([tracking.experiment_id])
    assert run.data.metrics == {"checks": 3, "failed": 1, "warned": 0}
    assert [item.path for item in tracking.client.list_artifacts(run.info.run_id)] == ["expectations.json"]


def test_the_stage_takes_the_suites_beside_the_problem_file_and_refuses_an_empty_one(
    wine_problem: Problem, make_context: Callable[..., StageContext], tmp_path: Path
) -> None:
    context = make_context(wine_problem, stage="expectations", problem_folder=tmp_path)
    beside = tmp_path / "suites" / "wine_quality" / "curated.json"
    beside.parent.mkdir(parents=True)
    beside.write_text('{"name": "mine", "expectations": []}', encoding="utf-8")
    unused = IngestResult.model_construct(raw=None, curated=None)  # refused before any table is read
    with pytest.raises(ProblemFileError, match="a suite without expectations checks nothing"):
        expectations(context, ingest=unused)

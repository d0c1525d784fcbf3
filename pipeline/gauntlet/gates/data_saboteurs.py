"""This module provides the saboteurs of the gates on the data; those of single expectations are in ``expectations``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gauntlet.adapters.checked_tables import CheckedTable, PandasTable, SparkTable
from gauntlet.adapters.suite_files import Suite
from gauntlet.core.errors import DataError
from gauntlet.core.results import ModelVersion
from gauntlet.gates.data import DRIFT, EMPTY_COLUMN, ROWS, SCHEMA, SUITES
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.gates.split_rows import with_rows
from gauntlet.stages.candidate import Candidate, Incumbent

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@saboteur(SUITES)
def suite_without_expectations(candidate: Candidate) -> Candidate:
    """Take all expectations out of the curated table's suite."""
    emptied = Suite(name="emptied", digest="0" * 64, expectations=())
    return candidate.changed(suites={**candidate.suites, "curated": emptied})


@saboteur(SUITES)
def suite_lost(candidate: Candidate) -> Candidate:
    """Lose the suite of the scored table."""
    return candidate.changed(suites={name: s for name, s in candidate.suites.items() if name != "predictions"})


@saboteur(ROWS)
def truncated_table(candidate: Candidate) -> Candidate:
    """Cut the curated table in half since the champion was promoted."""
    half = candidate.tables["curated"]().rows // 2
    truncated = _with_curated(candidate, lambda frame: frame.limit(half), lambda frame: frame.head(half))
    return truncated.changed(incumbent=_champion(candidate))


@saboteur(SCHEMA)
def renamed_column(candidate: Candidate) -> Candidate:
    """Give the first feature of the curated table another name."""
    old, new = candidate.problem.features[0].name, f"{candidate.problem.features[0].name}_2"
    return _with_curated(
        candidate, lambda frame: frame.withColumnRenamed(old, new), lambda frame: frame.rename(columns={old: new})
    )


@saboteur(SCHEMA)
def retyped_column(candidate: Candidate) -> Candidate:
    """Store the curated label as a text."""
    return _with_curated(
        candidate,
        lambda frame: frame.withColumn("label", frame["label"].cast("string")),
        lambda frame: frame.assign(label=frame["label"].astype(str)),
    )


@saboteur(SCHEMA)
def extra_column(candidate: Candidate) -> Candidate:
    """Let a column that nobody described into the curated table."""
    return _with_curated(
        candidate,
        lambda frame: frame.withColumn("verdict_of_the_taster", frame["label"].cast("double")),
        lambda frame: frame.assign(verdict_of_the_taster=frame["label"].astype(float)),
    )


@saboteur(EMPTY_COLUMN)
def null_column(candidate: Candidate) -> Candidate:
    """Lose all values of the first feature of the curated table."""
    name = candidate.problem.features[0].name

    def emptied(frame: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

        return frame.withColumn(name, F.lit(None).cast(frame.schema[name].dataType))

    return _with_curated(candidate, emptied, lambda frame: frame.assign(**{name: np.nan}))


@saboteur(EMPTY_COLUMN)
def feature_without_values_in_train(candidate: Candidate) -> Candidate:
    """Lose all values of the first feature among the training rows."""
    frame = candidate.splits.frame.copy()
    frame.loc[frame["split"] == "train", candidate.splits.features[0]] = None
    return with_rows(candidate, frame)


@saboteur(DRIFT)
def drifted_feature(candidate: Candidate) -> Candidate:
    """Measure the first number in another unit since the champion was promoted."""
    frame, name = candidate.splits.frame, _numbers(candidate)[0]
    drifted = frame.assign(**{name: frame[name] * 1.8 + frame[name].std()})
    return with_rows(candidate, drifted, incumbent=_champion(candidate))


@saboteur(DRIFT)
def swapped_columns(candidate: Candidate) -> Candidate:
    """Swap the two numbers that are furthest apart in size, since the champion was promoted."""
    frame, medians = candidate.splits.frame, candidate.splits.frame[_numbers(candidate)].median()
    low, high = str(medians.idxmin()), str(medians.idxmax())
    return with_rows(candidate, frame.assign(**{low: frame[high], high: frame[low]}), incumbent=_champion(candidate))


@saboteur(DRIFT)
def drifted_label(candidate: Candidate) -> Candidate:
    """Leave only every eighth positive row since the champion was promoted."""
    frame = candidate.splits.frame
    positive = frame["label"] == 1
    return with_rows(candidate, frame[~positive | (positive.cumsum() % 8 == 0)], incumbent=_champion(candidate))


def _numbers(candidate: Candidate) -> list[str]:
    names = [column.name for column in candidate.problem.features if column.kind in ("number", "integer")]
    if not names:
        raise DataError("the problem has no feature of numbers to break")
    return names


def _with_curated(
    candidate: Candidate,
    on_spark: Callable[[DataFrame], DataFrame],
    in_memory: Callable[[pd.DataFrame], pd.DataFrame],
) -> Candidate:
    table = candidate.tables["curated"]()
    changed: CheckedTable
    if isinstance(table, SparkTable):
        changed = SparkTable(table.name, on_spark(table.frame))
    elif isinstance(table, PandasTable):
        changed = PandasTable(table.name, in_memory(table.frame))
    else:
        raise DataError(f"the table curated is a {type(table).__name__}, which cannot be broken")
    return candidate.changed(tables={**candidate.tables, "curated": lambda: changed})


def _champion(candidate: Candidate) -> Incumbent:
    """Return the champion with the candidate's own rows as those it was promoted with.

    So the saboteur alone makes the difference. Where there is no champion, the candidate itself takes its place.
    """
    train = candidate.splits.rows("train")
    known = candidate.incumbent
    if known is None or known.version is None or known.fault is not None:
        version = ModelVersion(name="champion", version=1, run_id="none")
        known = Incumbent(version=version, model=candidate.model, ledger_version=1, sequence=1)
    rows = candidate.tables["curated"]().rows if "curated" in candidate.tables else len(candidate.splits.frame)
    return replace(known, training=train.features.assign(label=train.label), curated_rows=rows)


SABOTEURS: tuple[Saboteur, ...] = (
    suite_without_expectations,
    suite_lost,
    renamed_column,
    retyped_column,
    extra_column,
    null_column,
    feature_without_values_in_train,
    truncated_table,
    drifted_feature,
    swapped_columns,
    drifted_label,
)

"""This module provides the rows of all splits as gates take them: none empty, none of one class, no value infinite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gauntlet.core.errors import DataError, RequirementError
from gauntlet.core.grouping import SPLIT_ORDER
from gauntlet.core.problem import SplitName
from gauntlet.core.verdict import Status, Verdict
from gauntlet.stages.candidate import Candidate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


_NAMED = 3


def splits_of(candidate: Candidate) -> tuple[SplitName, ...]:
    """Return the splits that the protocol has, in the order of time; the tutorial's has no validation."""
    return tuple(name for name in SPLIT_ORDER if name != "validation" or candidate.splits.protocol != "notebook")


def judged_rows(candidate: Candidate) -> pd.DataFrame:
    """Return the rows of all splits, if they can be judged.

    Raises:
        DataError: If a column is missing, the features are not the problem's, a row is in no split or no group, an
            identifier is there twice, a split has no rows or rows of one class only, a feature has no value, or one is
            infinite.
    """
    splits = candidate.splits
    frame, features = splits.frame, list(splits.features)
    promised = [column.name for column in candidate.problem.features]
    missing = [name for name in ("row_id", "split", "group_id", "label", *features) if name not in frame.columns]
    if missing:
        raise DataError(f"split: the rows lack the columns {', '.join(missing)}")
    if not features or features != promised:
        raise DataError(
            f"split: the features are {', '.join(features) or 'none'}, not the problem's: {', '.join(promised)}"
        )
    _require_rows(frame, splits_of(candidate))
    _require_values(frame, features)
    return frame


def listed(sayings: Sequence[str]) -> str:
    """Return the first few of some sayings in one line, and how many more there are."""
    more = len(sayings) - _NAMED
    return "; ".join(sayings[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def no_rows_but(gate: str, bad: int, *, rows: int, good: str, fault: str) -> Verdict:
    """Return the verdict that no row, pair or column is bad.

    Args:
        gate: The gate's name.
        bad: How many are.
        rows: The number of rows that were looked at.
        good: What to say if none is.
        fault: What to say if some are.
    """
    status, sentence = (Status.FAIL, fault) if bad else (Status.PASS, good)
    return Verdict(gate, status, sentence, measured=float(bad), bound=0.0, rows=rows)


def with_rows(candidate: Candidate, frame: pd.DataFrame, **parts: Any) -> Candidate:
    """Return the candidate with other rows in its splits, in memory and on Spark, and perhaps with other parts.

    Args:
        candidate: The candidate.
        frame: All rows of all splits; columns that the splits did not have become features of theirs.
        parts: Other parts that are replaced.
    """
    splits, rows, session = candidate.splits, frame.reset_index(drop=True), candidate.spark
    added = tuple(str(name) for name in frame.columns if name not in splits.frame.columns)

    def spark_rows() -> DataFrame:
        if session is None:
            raise RequirementError("there is no Spark to bring the rows to")
        return session().createDataFrame(rows)

    spark = None if splits.spark is None or session is None else spark_rows
    changed = replace(splits, frame=rows, features=(*splits.features, *added), spark=spark)
    return candidate.changed(splits=changed, **parts)


def _require_rows(frame: pd.DataFrame, names: tuple[SplitName, ...]) -> None:
    astray = ~frame["split"].isin(names)
    if astray.any():
        raise DataError(f"split: {astray.sum()} of {len(frame)} rows are in none of {', '.join(names)}")
    repeated = frame["row_id"].duplicated() | frame["row_id"].isna()
    if repeated.any():
        raise DataError(f"split: row_id {frame.loc[repeated, 'row_id'].iloc[0]!r} is missing or there twice")
    if frame["group_id"].isna().any():
        raise DataError(f"split: group_id is missing in {frame['group_id'].isna().sum()} of {len(frame)} rows")
    for name in names:
        label = frame.loc[frame["split"] == name, "label"]
        if set(label.unique()) != {0, 1}:
            raise DataError(f"split: the {len(label)} rows of {name} are not of both classes, 0 and 1")


def _require_values(frame: pd.DataFrame, features: list[str]) -> None:
    empty = [name for name in features if frame[name].isna().all()]
    if empty:
        raise DataError(f"split: all values are missing of {', '.join(empty)}")
    numbers = frame[features].select_dtypes("number")
    infinite = [str(name) for name, bad in np.isinf(numbers).any().items() if bad]
    if infinite:
        raise DataError(f"split: there are infinite values of {', '.join(infinite)}")

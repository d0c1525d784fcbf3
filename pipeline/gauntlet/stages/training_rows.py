"""This module provides the rows that models are fitted and judged on, and the one door to the test split."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.errors import RefusedError
from gauntlet.core.problem import SplitName
from gauntlet.core.results import SplitResult
from gauntlet.core.test_reads import record_test_read
from gauntlet.stages.context import StageContext


@dataclass(frozen=True)
class Rows:
    """The rows of one split, in the table's own stable order.

    Attributes:
        features: One column a feature; numbers as float64, texts as str or None.
        label: 0 or 1, int8, one a row.
        row_id: The rows' identifiers.
    """

    features: pd.DataFrame
    label: NDArray[np.int8]
    row_id: tuple[str, ...]

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """Return the chosen rows, in the same order."""
        return Rows(
            features=self.features[chosen].reset_index(drop=True),
            label=self.label[chosen],
            row_id=tuple(np.array(self.row_id, dtype=object)[chosen]),
        )


def read_split(context: StageContext, split: SplitResult, name: SplitName) -> Rows:
    """Return the rows of a split that models may be fitted on or chosen by.

    Raises:
        RefusedError: If it is the test split and models are not (bug for bug) chosen on it: see ``open_test_split``.
    """
    if name == "test" and split.selection != "test":
        raise RefusedError("the test split is closed until a model is chosen; no stage before that may read it")
    return _read(context, split, name)


def open_test_split(context: StageContext, split: SplitResult, *, selection_digest: str, reason: str) -> Rows:
    """Return the test rows for a frozen choice, and write the opening into the ledger.

    Args:
        context: The asking stage's context.
        split: The split.
        selection_digest: The digest of the choice that the rows are opened for.
        reason: Why, in a few words.

    Raises:
        RefusedError: If no frozen choice of that digest is in the state folder.
    """
    record_opening(context, split, selection_digest=selection_digest, reason=reason)
    return _read(context, split, "test")


def record_opening(context: StageContext, split: SplitResult, *, selection_digest: str, reason: str) -> None:
    """Write the opening of the test split for a frozen choice into the ledger, for a caller that reads all splits.

    Args:
        context: The asking stage's context.
        split: The split.
        selection_digest: The digest of the choice that the rows are opened for.
        reason: Why, in a few words.

    Raises:
        RefusedError: If no frozen choice of that digest is in the state folder.
    """
    if selection_digest not in frozen_selections(context):
        raise RefusedError(f"the test split opens for a frozen choice only, and {selection_digest[:12]} is none")
    record_test_read(
        context.state.test_reads,
        split=split.table.fingerprint,
        selection=selection_digest,
        reason=reason,
        stage_key=context.key,
    )


def frozen_selections(context: StageContext) -> frozenset[str]:
    """Return the digests of all frozen choices in the state folder."""
    results = (context.state.root / "stages" / "select").glob("*/result.json")
    documents = (json.loads(path.read_text(encoding="utf-8")) for path in results)
    return frozenset(str(document["result"]["selection_digest"]) for document in documents)


def _read(context: StageContext, split: SplitResult, name: SplitName) -> Rows:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    features = [column.name for column in context.problem.features]
    selected = (
        context.target.tables.read(split.table)
        .where(F.col("split") == name)
        .select("row_order", "row_id", "label", *features)
    )
    frame: pd.DataFrame = selected.toPandas()
    frame = frame.sort_values("row_order", kind="stable", ignore_index=True)
    return Rows(
        features=frame[features],
        label=frame["label"].to_numpy(dtype=np.int8),
        row_id=tuple(frame["row_id"]),
    )

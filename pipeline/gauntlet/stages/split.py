"""This module provides the split: honest (what belongs together stays together) or the tutorial's, kept bug for bug."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from gauntlet.core.errors import DataError
from gauntlet.core.grouping import (
    SPLIT_ORDER,
    Grouping,
    columns_of_split,
    group_by_keys,
    group_rows,
    source_order,
    split_by_time,
    split_groups,
    time_ranks,
)
from gauntlet.core.problem import Problem
from gauntlet.core.results import IngestResult, SplitResult, TableRef
from gauntlet.stages.context import StageContext


def split(context: StageContext, *, ingest: IngestResult) -> SplitResult:
    """Divide the curated rows into train, validation and test, and write them as table ``split``.

    Under ``honest`` rows that repeat each other exactly, lie within one measuring unit on every feature, or share a
    value of ``split.groups`` stay in one split; with ``split.repeats = "by chance"`` only the last holds. With
    ``split.time`` no training row is later than a group of a later split, and the splits are not stratified by label.
    Under ``notebook`` rows are divided at random as the tutorial does, repeats across, and models are chosen on test;
    such a run is for comparison and never promoted.

    Raises:
        DataError: If a split would be left without rows of both classes, or a value of ``split.groups`` or
            ``split.time`` is missing.
    """
    problem = context.problem
    rows = _collect(context, ingest)
    features = rows[[column.name for column in problem.features]]
    grouping = _grouping(rows, problem)
    notebook = problem.split.protocol == "notebook"
    names = _names(rows, grouping, context)
    _require_both_classes(names, rows["label"].to_numpy(), notebook=notebook)
    assigned = _assigned(rows, grouping, names)
    table = _write(context, ingest, assigned)
    present = [name for name in SPLIT_ORDER if (names == name).any()]
    return SplitResult(
        protocol=problem.split.protocol,
        synthetic=ingest.source.synthetic,
        table=table,
        selection="test" if notebook else "validation",
        rows={name: int((names == name).sum()) for name in present},
        positives={name: int(rows["label"][names == name].sum()) for name in present},
        groups=grouping.count,
        near_pairs=len(grouping.near_pairs),
        repeats_across=_repeats_across(features, names),
        near_repeats_across=int((names[grouping.near_pairs[:, 0]] != names[grouping.near_pairs[:, 1]]).sum()),
        not_checked=_not_checked(problem),
    )


def split_names(rows: pd.DataFrame, context: StageContext) -> NDArray[np.str_]:
    """Return the name of each row's split when the rows come in this order; nothing is written.

    Args:
        rows: ``row_id``, ``label``, the features, and the columns that ``split.groups`` and ``split.time`` name.
        context: The asking stage's context.
    """
    return _names(rows, _grouping(rows, context.problem), context)


def _names(rows: pd.DataFrame, grouping: Grouping, context: StageContext) -> NDArray[np.str_]:
    if context.problem.split.protocol == "notebook":
        return _notebook_split(rows, context.problem)
    return _honest_split(rows, grouping, context)


def _grouping(rows: pd.DataFrame, problem: Problem) -> Grouping:
    if problem.split.repeats == "by chance" and problem.split.protocol == "honest":
        return group_by_keys(rows[list(problem.split.groups)])
    return group_rows(
        rows[[column.name for column in problem.features]],
        columns=problem.features,
        content=[identifier.rsplit("-", 1)[0] for identifier in rows["row_id"]],
        near_repeats=problem.split.near_repeats,
        keys=None if problem.split.protocol == "notebook" else rows[list(problem.split.groups)],
    )


def _collect(context: StageContext, ingest: IngestResult) -> pd.DataFrame:
    features = [column.name for column in context.problem.features]
    kept = ["row_id", "source", "source_row", "label", *features, *columns_of_split(context.problem)]
    frame = context.target.tables.read(ingest.curated).select(*kept)
    rows: pd.DataFrame = frame.toPandas()
    return rows.iloc[np.argsort(source_order(rows, context.problem))].reset_index(drop=True)


def _honest_split(rows: pd.DataFrame, grouping: Grouping, context: StageContext) -> NDArray[np.str_]:
    rule = context.problem.split
    if rule.time is not None:
        return split_by_time(grouping.group, time_ranks(rows[rule.time]), fractions=rule.fractions)
    return split_groups(
        grouping.group,
        rows["label"].to_numpy(dtype=np.int8),
        order=list(rows["row_id"]),
        fractions=rule.fractions,
        seed=context.problem.seed,
    )


def _notebook_split(rows: pd.DataFrame, problem: Problem) -> NDArray[np.str_]:
    rule = problem.split.notebook
    _, test = train_test_split(np.arange(len(rows)), test_size=rule.test_fraction, random_state=rule.random_state)
    names = np.full(len(rows), "train", dtype="U10")
    names[test] = "test"
    return names


def _require_both_classes(names: NDArray[np.str_], label: NDArray[np.int8], *, notebook: bool) -> None:
    for name in ("train", "test") if notebook else SPLIT_ORDER:
        classes = np.unique(label[names == name])
        if len(classes) < 2:
            raise DataError(
                f"split: {name} would hold rows of {len(classes)} class(es); bring more rows, or change split.fractions"
            )


def _assigned(rows: pd.DataFrame, grouping: Grouping, names: NDArray[np.str_]) -> pd.DataFrame:
    """Return each row's split, its group (named by its least row_id), and its place in the order to read rows in."""
    assigned = pd.DataFrame({"row_id": rows["row_id"], "split": names})
    assigned["group_id"] = rows["row_id"].groupby(grouping.group).transform("min")
    # The tutorial's numbers hang on the order of the files; an honest result must not, so it uses the identifiers'.
    notebook = "validation" not in names
    assigned["row_order"] = np.arange(len(rows)) if notebook else rows["row_id"].rank(method="first").astype(int) - 1
    return assigned


def _write(context: StageContext, ingest: IngestResult, assigned: pd.DataFrame) -> TableRef:
    curated = context.target.tables.read(ingest.curated)
    marks = context.target.spark().createDataFrame(assigned)
    joined = curated.join(marks, on="row_id", how="inner")
    table = context.target.tables.write("split", joined, note={"stage": "split", "key": context.key})
    if table.rows != ingest.curated.rows:
        raise DataError(
            f"split: {table.rows} rows were written for {ingest.curated.rows} curated ones; row_id is not unique"
        )
    return table


def _repeats_across(features: pd.DataFrame, names: NDArray[np.str_]) -> int:
    """Count the rows of a later split whose features stand in an earlier one too."""
    keys = pd.util.hash_pandas_object(features, index=False).to_numpy()
    count, seen = 0, np.empty(0, dtype=keys.dtype)
    for name in SPLIT_ORDER:
        mine = keys[names == name]
        count += int(np.isin(mine, seen).sum())
        seen = np.concatenate([seen, mine])
    return count


def _not_checked(problem: Problem) -> tuple[str, ...]:
    if problem.split.repeats == "by chance":
        return ('Repeats were divided freely, as split.repeats = "by chance" says; the gates on repeats test that.',)
    unmeasured = [c.name for c in problem.features if c.kind in ("number", "integer") and c.resolution is None]
    if unmeasured:
        return (f"Near repeats on {', '.join(unmeasured)}: no resolution is given, so only equal values count.",)
    return ()

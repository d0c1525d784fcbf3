"""This module provides the split: honest (repeats stay together) or the tutorial's own, kept bug for bug."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from gauntlet.core.errors import DataError
from gauntlet.core.grouping import Grouping, group_rows, split_groups
from gauntlet.core.problem import Problem, SplitName
from gauntlet.core.results import IngestResult, SplitResult, TableRef
from gauntlet.stages.context import StageContext

_ORDER: tuple[SplitName, ...] = ("train", "validation", "test")


def split(context: StageContext, *, ingest: IngestResult) -> SplitResult:
    """Divide the curated rows into train, validation and test, and write them as table ``split``.

    Under ``honest`` rows that repeat each other exactly, or lie within one measuring unit on every feature, stay in one
    split. Under ``notebook`` rows are divided at random as the tutorial does, repeats across, and models are chosen on
    test; such a run is for comparison and never promoted.

    Raises:
        DataError: If a split would be left without rows of both classes.
    """
    problem = context.problem
    rows = _collect(context, ingest)
    features = rows[[column.name for column in problem.features]]
    grouping = group_rows(
        features,
        columns=problem.features,
        content=[identifier.rsplit("-", 1)[0] for identifier in rows["row_id"]],
        near_repeats=problem.split.near_repeats,
    )
    notebook = problem.split.protocol == "notebook"
    names = _notebook_split(rows, problem) if notebook else _honest_split(rows, grouping, context)
    _require_both_classes(names, rows["label"].to_numpy(), notebook=notebook)
    assigned = _assigned(rows, grouping, names)
    table = _write(context, ingest, assigned)
    present = [name for name in _ORDER if (names == name).any()]
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


def _collect(context: StageContext, ingest: IngestResult) -> pd.DataFrame:
    features = [column.name for column in context.problem.features]
    frame = context.target.tables.read(ingest.curated).select("row_id", "source", "source_row", "label", *features)
    rows: pd.DataFrame = frame.toPandas()
    sources = {source.name: index for index, source in enumerate(context.problem.sources)}
    # A generated row's source is named like the file it stands in for, so one order serves all origins.
    rows["source_index"] = rows["source"].map(sources).fillna(len(sources)).astype(int)
    return rows.sort_values(["source_index", "source_row", "row_id"], kind="stable", ignore_index=True)


def _honest_split(rows: pd.DataFrame, grouping: Grouping, context: StageContext) -> NDArray[np.str_]:
    return split_groups(
        grouping.group,
        rows["label"].to_numpy(dtype=np.int8),
        order=list(rows["row_id"]),
        fractions=context.problem.split.fractions,
        generator=context.seeds.generator("split"),
    )


def _notebook_split(rows: pd.DataFrame, problem: Problem) -> NDArray[np.str_]:
    rule = problem.split.notebook
    _, test = train_test_split(np.arange(len(rows)), test_size=rule.test_fraction, random_state=rule.random_state)
    names = np.full(len(rows), "train", dtype="U10")
    names[test] = "test"
    return names


def _require_both_classes(names: NDArray[np.str_], label: NDArray[np.int8], *, notebook: bool) -> None:
    for name in ("train", "test") if notebook else _ORDER:
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
    for name in _ORDER:
        mine = keys[names == name]
        count += int(np.isin(mine, seen).sum())
        seen = np.concatenate([seen, mine])
    return count


def _not_checked(problem: Problem) -> tuple[str, ...]:
    unmeasured = [c.name for c in problem.features if c.kind in ("number", "integer") and c.resolution is None]
    if unmeasured:
        return (f"Near repeats on {', '.join(unmeasured)}: no resolution is given, so only equal values count.",)
    return ()

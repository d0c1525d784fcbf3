"""This module provides the saboteurs of the gates on the split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gauntlet.core.encoding import learn_encoding
from gauntlet.core.errors import DataError
from gauntlet.core.grouping import is_measured, time_ranks
from gauntlet.core.problem import Column
from gauntlet.core.reading import ColumnKind
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.gates.split import CHOSEN_WITHOUT_TEST, SPLITS_ALIKE, TIME_ORDER
from gauntlet.gates.split_leakage import FITTED_ON_TRAIN, NO_IDENTIFIER, NO_TARGET_LEAKAGE
from gauntlet.gates.split_repeats import GROUPS_KEPT, NO_NEAR_REPEATS, NO_REPEATS
from gauntlet.gates.split_rows import with_rows
from gauntlet.stages.candidate import Candidate

_COPIES = 100


@saboteur(CHOSEN_WITHOUT_TEST)
def tuned_on_test(candidate: Candidate) -> Candidate:
    """Choose the model and its threshold on the test rows."""
    return candidate.changed(splits=replace(candidate.splits, selection="test"))


@saboteur(NO_REPEATS)
def test_rows_copied_into_train(candidate: Candidate) -> Candidate:
    """Copy a hundred test rows into the training rows."""
    return _with_copies(candidate, _test_rows(candidate))


@saboteur(NO_REPEATS)
def relabelled_test_rows_copied_into_train(candidate: Candidate) -> Candidate:
    """Copy a hundred test rows into the training rows, with the other label: the features repeat all the same."""
    rows = _test_rows(candidate)
    return _with_copies(candidate, rows.assign(label=1 - rows["label"]))


@saboteur(NO_REPEATS)
def copies_called_repeats_by_chance(candidate: Candidate) -> Candidate:
    """Copy a hundred test rows into the training rows, and say that rows repeat by chance."""
    split = candidate.problem.split.model_copy(update={"repeats": "by chance"})
    copied = _with_copies(candidate, _test_rows(candidate))
    return copied.changed(problem=candidate.problem.model_copy(update={"split": split}))


@saboteur(NO_NEAR_REPEATS)
def rounded_copies_in_train(candidate: Candidate) -> Candidate:
    """Copy a hundred test rows into the training rows, each value one measuring unit further."""
    rows, tolerance = _test_rows(candidate), candidate.problem.gates.split.relative_tolerance
    for column in candidate.problem.features:
        if is_measured(column):
            rows[column.name] += column.resolution
        elif column.kind == "number":
            rows[column.name] *= 1 + tolerance / 2
    return _with_copies(candidate, rows)


@saboteur(GROUPS_KEPT)
def group_torn_apart(candidate: Candidate) -> Candidate:
    """Let a training row belong to the customer (the patient …) of a test row."""
    frame, name = candidate.splits.frame.copy(), candidate.problem.split.groups[0]
    frame.loc[_first(frame, "train"), name] = frame.loc[_first(frame, "test"), name]
    return with_rows(candidate, frame)


@saboteur(TIME_ORDER)
def future_rows_in_train(candidate: Candidate) -> Candidate:
    """Move the latest tenth of the test rows into the training rows."""
    frame = candidate.splits.frame.copy()
    latest = pd.Series(time_ranks(frame[candidate.problem.split.time]), index=frame.index)
    test = latest[frame["split"] == "test"].sort_values(kind="stable")
    moved = test.index[-max(1, len(test) // 10) :]
    frame.loc[moved, "split"] = "train"
    frame.loc[moved, "group_id"] = frame.loc[moved, "row_id"]
    return with_rows(candidate, frame)


@saboteur(NO_TARGET_LEAKAGE)
def label_copied_into_a_feature(candidate: Candidate) -> Candidate:
    """Write the label into the first feature."""
    frame, first = candidate.splits.frame.copy(), candidate.problem.features[0]
    label = frame["label"].astype("float64")
    frame[first.name] = label.map({0.0: "no", 1.0: "yes"}) if first.kind == "text" else label
    return with_rows(candidate, frame)


@saboteur(NO_TARGET_LEAKAGE)
def label_hidden_in_a_range(candidate: Candidate) -> Candidate:
    """Add a feature that is 1 for positive rows, and 0 or 2 for others: alone it orders nothing, a tree reads it."""
    label = candidate.splits.frame["label"].to_numpy()
    others = np.where(np.arange(len(label)) % 2 == 0, 0.0, 2.0)
    return _with_feature(candidate, "dosage", "number", np.where(label == 1, 1.0, others))


@saboteur(NO_TARGET_LEAKAGE)
def label_split_over_two_features(candidate: Candidate) -> Candidate:
    """Add a feature of noise, and one of the same noise plus half the label: neither tells anything alone."""
    label = candidate.splits.frame["label"].to_numpy(dtype=np.float64)
    noise = candidate.seeds.generator("sabotage", "noise").normal(size=len(label))
    changed = _with_feature(candidate, "reading", "number", noise)
    return _with_feature(changed, "second_reading", "number", noise + label / 2)


@saboteur(NO_IDENTIFIER)
def identifier_in_the_order_of_the_label(candidate: Candidate) -> Candidate:
    """Number the rows, the positive ones last, and give the number as a feature; every third row stands anywhere."""
    label = candidate.splits.frame["label"].to_numpy(dtype=np.float64)
    draw = candidate.seeds.generator("sabotage", "order").random(len(label))
    place = np.where(np.arange(len(label)) % 3 == 0, 2 * draw, label + draw)
    return _with_feature(candidate, "record_number", "integer", place.argsort().argsort().astype(np.float64))


@saboteur(NO_IDENTIFIER)
def identifier_as_feature(candidate: Candidate) -> Candidate:
    """Add the number of the row as a feature."""
    return _with_feature(candidate, "record_number", "integer", np.arange(len(candidate.splits.frame), dtype=float))


@saboteur(NO_IDENTIFIER)
def text_identifier_as_feature(candidate: Candidate) -> Candidate:
    """Add a text that names the row as a feature."""
    return _with_feature(candidate, "record_name", "text", "record " + candidate.splits.frame["row_id"])


@saboteur(FITTED_ON_TRAIN)
def encoding_learnt_on_all_rows(candidate: Candidate) -> Candidate:
    """Add a text of which one value stands in later splits only, and learn the encoding from all rows."""
    train = candidate.splits.frame["split"] == "train"
    region = np.where(train, np.where(np.arange(len(train)) % 2 == 0, "north", "south"), "east")
    changed = _with_feature(candidate, "region", "text", region)
    encoding = learn_encoding(changed.splits.frame, changed.problem.features)
    models = {**changed.models, changed.chosen: replace(changed.model, encoding=encoding)}
    return changed.changed(models=models)


@saboteur(SPLITS_ALIKE)
def one_kind_of_test_rows(candidate: Candidate) -> Candidate:
    """Keep test rows of one kind only: one colour of wine, or the upper half of the first feature."""
    frame, columns = candidate.splits.frame, candidate.problem.features
    column = next((column for column in columns if column.kind == "boolean"), columns[0])
    values = frame[column.name]
    kept = values == values.mode()[0] if column.kind in ("boolean", "text") else values >= values.median()
    return with_rows(candidate, frame[kept | (frame["split"] != "test")])


@saboteur(SPLITS_ALIKE)
def positives_kept_for_train(candidate: Candidate) -> Candidate:
    """Leave only every eighth positive row in validation and test."""
    frame = candidate.splits.frame
    positive = (frame["label"] == 1) & (frame["split"] != "train")
    return with_rows(candidate, frame[~positive | (positive.cumsum() % 8 == 0)])


def _test_rows(candidate: Candidate) -> pd.DataFrame:
    frame = candidate.splits.frame
    rows: pd.DataFrame = frame[frame["split"] == "test"].head(_COPIES).copy()
    return rows


def _with_copies(candidate: Candidate, copies: pd.DataFrame) -> Candidate:
    names = copies["row_id"] + "-copy"
    copies = copies.assign(row_id=names, group_id=names, split="train")
    return with_rows(candidate, pd.concat([candidate.splits.frame, copies], ignore_index=True))


def _with_feature(candidate: Candidate, name: str, kind: ColumnKind, values: Any) -> Candidate:
    frame, problem = candidate.splits.frame, candidate.problem
    while name in frame.columns:
        name += "_2"
    columns = (*problem.columns, Column(name=name, kind=kind))
    return with_rows(candidate, frame.assign(**{name: values}), problem=problem.model_copy(update={"columns": columns}))


def _first(frame: pd.DataFrame, split: str) -> Any:
    places = frame.index[frame["split"] == split]
    if not len(places):
        raise DataError(f"split: {split} has no rows")
    return places[0]


SABOTEURS: tuple[Saboteur, ...] = (
    tuned_on_test,
    test_rows_copied_into_train,
    relabelled_test_rows_copied_into_train,
    copies_called_repeats_by_chance,
    rounded_copies_in_train,
    group_torn_apart,
    future_rows_in_train,
    label_copied_into_a_feature,
    label_hidden_in_a_range,
    label_split_over_two_features,
    identifier_in_the_order_of_the_label,
    identifier_as_feature,
    text_identifier_as_feature,
    encoding_learnt_on_all_rows,
    one_kind_of_test_rows,
    positives_kept_for_train,
)

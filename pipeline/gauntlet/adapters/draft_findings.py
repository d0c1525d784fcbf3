"""This module provides what is found of a table's columns before they are drafted: which are no features, and why.

It asks the same functions as the gates do, so that no gate refuses a column that was drafted as a feature.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gauntlet.adapters.label_draft import LabelDraft, positive_rows
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch
from gauntlet.core.chance_repeats import RepeatedRows, judge_repeats
from gauntlet.core.errors import InputError
from gauntlet.core.gate_rules import SplitRules
from gauntlet.core.leakage import find_leaks
from gauntlet.core.problem import Column
from gauntlet.core.seeding import Seeds
from gauntlet.core.unfit_columns import find_unfitness

# With fewer repeats it does not matter whether they are by chance: kept together they hinder no split.
_FEW_REPEATS = 0.05
# With fewer rows nothing can be said of how labels agree.
_LEAST_ROWS = 100


def with_findings(table: TableSketch, *, label: LabelDraft, seed: int) -> TableSketch:
    """Return a sketch in which the columns that are no features are ignored, each with the reason.

    Where no feature would be left, the columns that have values stay features: the gates say what is wrong with them.

    Args:
        table: The sketch.
        label: Its label.
        seed: The problem's seed.

    Raises:
        InputError: If no column beside the label has a value.
    """
    found = replace(table, columns=tuple(_without_unfit(column, label) for column in table.columns))
    found = _without_leaks(found, label, seed=seed)
    if not features_of(found, label):
        back = (replace(c, role="feature") if c.values.notna().any() else c for c in found.columns)
        found = replace(found, columns=tuple(back))
    if not features_of(found, label):
        raise InputError(
            f"{table.path}: no column beside the label {label.rule.column!r} has a value; bring one that has"
        )
    return found


def features_of(table: TableSketch, label: LabelDraft) -> list[ColumnSketch]:
    """Return the columns that a model is to see."""
    return [column for column in table.columns if column.role == "feature" and column.name != label.rule.column]


def chance_repeats(table: TableSketch, *, label: LabelDraft, near: bool, seed: int) -> RepeatedRows | None:
    """Return what is known of repeated rows where they coincide by chance; None if they are few, or copies.

    Args:
        table: The sketch, as ``with_findings`` returns it.
        label: Its label.
        near: Whether near repeats are kept together, so that they must be by chance, too.
        seed: The problem's seed.
    """
    features = features_of(table, label)
    columns = [_as_column(column) for column in features]
    target = table.column(label.rule.column).values
    known = target.notna().to_numpy()
    rows = as_features(features).loc[known].reset_index(drop=True)
    if len(rows) < _LEAST_ROWS or rows.duplicated().mean() < _FEW_REPEATS:
        return None
    rows["label"] = positive_rows(label.rule, target[known]).astype(np.int8)
    rules = SplitRules()
    found = [
        judge_repeats(rows, columns=columns, seeds=Seeds(seed), near=kind, relative_tolerance=rules.relative_tolerance)
        for kind in ((False, True) if near else (False,))
    ]
    return found[0] if all(one.by_chance for one in found) else None


def as_features(columns: list[ColumnSketch]) -> pd.DataFrame:
    """Return columns as a model's features are: texts as they are, all else as float64."""
    return pd.DataFrame(
        {
            column.name: column.values.astype(object)
            if column.kind == "text"
            else column.values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
            for column in columns
        }
    )


def _without_unfit(column: ColumnSketch, label: LabelDraft) -> ColumnSketch:
    if column.role == "ignored" or column.name == label.rule.column:
        return column
    values = column.values.rename(column.source_name)
    unfit = find_unfitness(values, kind=column.kind, order=np.arange(len(values)))
    return replace(column, role="ignored", remark=f"{unfit.reason}: {unfit.sentence}") if unfit else column


def _without_leaks(table: TableSketch, label: LabelDraft, *, seed: int) -> TableSketch:
    features = features_of(table, label)
    if not features:
        return table
    target = table.column(label.rule.column)
    known = target.values.notna().to_numpy()
    leaks = find_leaks(
        as_features(features).loc[known].reset_index(drop=True),
        positive_rows(label.rule, target.values[known]),
        columns=[_as_column(column) for column in features],
        rules=SplitRules(),
        seed=seed,
    )
    remarks = {
        name: f"leak: {leak.sentence}; if it is known before the label, write known_before = true in place of role"
        for leak in leaks
        for name in leak.columns
    }
    columns = (
        replace(column, role="ignored", remark=remarks[column.name]) if column.name in remarks else column
        for column in table.columns
    )
    return replace(table, columns=tuple(columns))


def _as_column(column: ColumnSketch) -> Column:
    """Return a column as the gates know it, without how its cells are read."""
    return Column(name=column.name, kind=column.kind, nullable=True, resolution=column.resolution)

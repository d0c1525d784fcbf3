"""This module provides what is found of a table's columns before they are drafted: which are no features, and why."""

from __future__ import annotations

from dataclasses import replace

from gauntlet.adapters.label_draft import LabelDraft
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch
from gauntlet.core.errors import InputError


def with_findings(table: TableSketch, *, label: LabelDraft) -> TableSketch:
    """Return a sketch in which the columns that are no features are ignored, each with the reason.

    Where no feature would be left, the columns that have values stay features: the gates say what is wrong with them.

    Args:
        table: The sketch.
        label: Its label.

    Raises:
        InputError: If no column beside the label has a value.
    """
    columns = tuple(c if c.name == label.rule.column else _with_finding(c) for c in table.columns)
    if not _features(columns, label):
        columns = tuple(replace(c, role="feature") if c.values.notna().any() else c for c in columns)
    if not _features(columns, label):
        raise InputError(
            f"{table.path}: no column beside the label {label.rule.column!r} has a value; bring one that has"
        )
    return replace(table, columns=columns)


def _features(columns: tuple[ColumnSketch, ...], label: LabelDraft) -> list[ColumnSketch]:
    return [column for column in columns if column.role == "feature" and column.name != label.rule.column]


def _with_finding(column: ColumnSketch) -> ColumnSketch:
    if column.role == "feature" and column.values.dropna().nunique() == 1 and not column.missing:
        return replace(column, role="ignored", remark="one value only")
    return column

"""This module provides the first expectation suites of a table: what it holds today, with room, to be reviewed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gauntlet.adapters.label_draft import LabelDraft
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch
from gauntlet.core.predictions import PREDICTION_COLUMNS

SUITE_TABLES = ("raw", "curated", "predictions")

_MOST_LISTED_TEXTS = 12
_ADDED = ["row_id", "source", "source_row", "synthetic"]


def draft_suites(table: TableSketch, *, label: LabelDraft, name: str) -> dict[str, str]:
    """Return the JSON of the three suites, by the table they are for.

    Args:
        table: The table's sketch.
        label: Its label; the rule's column is no feature.
        name: The problem's name, the first part of the suites' names.
    """
    features = [c for c in table.columns if c.role == "feature" and c.name != label.rule.column]
    expectations = {
        "raw": _raw(table, label),
        "curated": _curated(features, label, rows=table.rows),
        "predictions": _predictions(),
    }
    about = {
        "raw": "The table as it came. Ranges are those seen when this was drafted, with room; make them what you know.",
        "curated": "The table that models are trained on: the features, and the label as 0 or 1.",
        "predictions": "The scored table: one probability and one decision for every row.",
    }
    return {kind: _text(f"{name}/{kind}", about[kind], expectations[kind]) for kind in SUITE_TABLES}


def _text(name: str, about: str, expectations: list[dict[str, Any]]) -> str:
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in expectations)
    head = f'  "name": {json.dumps(name)},\n  "meta": {json.dumps({"about": about}, ensure_ascii=False)},'
    return f'{{\n{head}\n  "expectations": [\n{lines}\n  ]\n}}\n'


def _entry(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"why": why}}


def _raw(table: TableSketch, label: LabelDraft) -> list[dict[str, Any]]:
    names = [column.name for column in table.columns]
    expected = [*_whole_table([*names, *_ADDED], rows=table.rows), *_identified()]
    for column in table.columns:
        if column.role == "feature" or column.name == label.rule.column:
            expected += _present(column) + _values(column)
    return expected


def _curated(features: list[ColumnSketch], label: LabelDraft, *, rows: int) -> list[dict[str, Any]]:
    share = label.positives / label.rows
    names = [column.name for column in features]
    expected = [*_whole_table([*names, "label", *_ADDED], rows=rows), *_identified()]
    for column in features:
        expected += _present(column)
        if column.kind == "boolean":
            expected.append(_in_set(column.name, [0.0, 1.0], "Booleans become 0 and 1."))
        elif column.kind != "text":
            expected += _values(column)
    return [
        *expected,
        _not_null("label", "A row without a label teaches nothing."),
        _in_set("label", [0, 1], "Two classes."),
        _entry(
            "column_mean_to_be_between",
            f"Both classes are there; {share:.3f} when this was drafted.",
            column="label",
            min_value=_rounded(share / 3),
            max_value=_rounded(1 - (1 - share) / 3),
        ),
    ]


def _predictions() -> list[dict[str, Any]]:
    return [
        _entry("table_row_count_to_be_between", "No predictions is no result.", min_value=1),
        _entry(
            "table_columns_to_match_set",
            "Readers of the table rely on these columns.",
            column_set=list(PREDICTION_COLUMNS),
            exact_match=True,
        ),
        *_identified(),
        _not_null("probability", "The model answers for every row."),
        _entry("column_values_to_be_between", "A probability.", column="probability", min_value=0, max_value=1),
        _not_null("decision", "Every row is decided."),
        _in_set("decision", [0, 1], "Yes or no."),
        _not_null("model_version", "Which model said so."),
    ]


def _whole_table(names: list[str], *, rows: int) -> list[dict[str, Any]]:
    return [
        _entry("table_row_count_to_be_between", f"{rows} rows when this was drafted.", min_value=max(1, rows // 2)),
        _entry(
            "table_columns_to_match_set",
            "A column that is missing, extra or renamed means that the data changed.",
            column_set=names,
            exact_match=True,
        ),
    ]


def _identified() -> list[dict[str, Any]]:
    unique = "A row that is there twice would count twice."
    return [
        _not_null("row_id", "Every row must be traceable to its source."),
        _entry("column_values_to_be_unique", unique, column="row_id"),
    ]


def _present(column: ColumnSketch) -> list[dict[str, Any]]:
    if not column.missing:
        return [_not_null(column.name, "No value was missing when this was drafted.")]
    share = column.missing / len(column.values)
    # Twice as many may be missing as now, but never nearly all.
    mostly = max(_rounded(1 - 2 * share), _rounded((1 - share) / 2))
    why = f"{share:.1%} were missing when this was drafted."
    return [_entry("column_values_to_not_be_null", why, column=column.name, mostly=mostly)]


def _not_null(column: str, why: str) -> dict[str, Any]:
    return _entry("column_values_to_not_be_null", why, column=column)


def _in_set(column: str, values: list[Any], why: str) -> dict[str, Any]:
    return _entry("column_values_to_be_in_set", why, column=column, value_set=values)


def _values(column: ColumnSketch) -> list[dict[str, Any]]:
    present = column.values.dropna()
    if column.kind == "boolean" or present.empty:
        return []
    if column.kind == "text":
        texts = sorted(present.unique().tolist())
        why = "The texts seen when this was drafted; a new one is a new kind of row, or a misspelling."
        return [_in_set(column.name, texts, why)] if len(texts) <= _MOST_LISTED_TEXTS else []
    numbers = present.to_numpy(dtype=np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    least, greatest = _roomy(low, high)
    why = f"Between {low:g} and {high:g} when this was drafted."
    return [_entry("column_values_to_be_between", why, column=column.name, min_value=least, max_value=greatest)]


def _roomy(low: float, high: float) -> tuple[float, float]:
    """Return a range with half its width to spare at either end; what was never negative stays so."""
    room = (high - low) / 2 or abs(high) / 2 or 1.0
    least, greatest = min(_rounded(low - room), low), max(_rounded(high + room), high)
    return (max(least, 0.0) if low >= 0 else least), greatest


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

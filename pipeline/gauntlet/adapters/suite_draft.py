"""This module provides the first expectation suites of a table: what it holds today, with room, to be reviewed.

An entry that follows from the data has the severity ``warning`` and a mark, ``meta.drafted``: the digest of what was
drafted. As long as the entry has that digest nobody has edited it, and ``gauntlet suites sync`` may draft it anew. What
holds of any table (identifiers, the label as 0 or 1, the predictions) is critical and has no mark.

Ranges are of the bulk of a column, so that the next delivery of the same source meets them whatever its tail: of a
range that ``p`` of the rows meet now, ``mostly`` asks for ``p`` less five standard errors of its estimate from these
rows and from another table of at most 300 rows. A column in another unit has far more rows outside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
import pandas as pd

from gauntlet.adapters.label_draft import LabelDraft
from gauntlet.adapters.suite_files import entry_key
from gauntlet.adapters.table_sketch import ColumnSketch, TableSketch
from gauntlet.core.canonical import digest
from gauntlet.core.predictions import PREDICTION_COLUMNS

SUITE_TABLES = ("raw", "curated", "predictions")
DRAFTED = "drafted"

_NOT_NULL, _IN_SET = "column_values_to_not_be_null", "column_values_to_be_in_set"
_MOST_LISTED_TEXTS = 12
_MOST_LISTED_NUMBERS = 12
_TAIL = 0.025  # the share of the rows at either end that a range leaves out
_STANDARD_ERRORS = 5.0
_NEXT_ROWS = 300
_LEAST_TOLERANCE = 0.02
_SHOWN_AT_ZERO = 7.0  # so many are expected below zero and none is there: by chance once in a thousand times


def draft_suites(table: TableSketch, *, label: LabelDraft, name: str) -> dict[str, dict[str, Any]]:
    """Return the documents of the three suites, by the table they are for.

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
    return {kind: _document(f"{name}/{kind}", about[kind], expectations[kind]) for kind in SUITE_TABLES}


def suite_text(document: Mapping[str, Any]) -> str:
    """Return a suite as its file holds it: one line an expectation, so that a difference reads well."""
    rest = {key: value for key, value in document.items() if key != "expectations"}
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in rest.items())
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in document["expectations"])
    return f'{{\n{head}  "expectations": [\n{lines}\n  ]\n}}\n'


def is_drafted(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of a suite is as it was drafted."""
    return bool(entry.get("meta", {}).get(DRAFTED) == _mark(entry))


def _document(name: str, about: str, expectations: list[dict[str, Any]]) -> dict[str, Any]:
    keys = [entry_key(entry) for entry in expectations]
    return {"name": name, "meta": {"about": about, DRAFTED: keys}, "expectations": expectations}


def _mark(entry: Mapping[str, Any]) -> str:
    """Return the digest of an entry without its mark."""
    meta = {key: value for key, value in entry.get("meta", {}).items() if key != DRAFTED}
    return digest({**entry, "meta": meta})[:12]


def _required(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"why": why}}


def _entry(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
    entry = {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "warning", "meta": {"why": why}}
    return {**entry, "meta": {"why": why, DRAFTED: _mark(entry)}}


def _raw(table: TableSketch, label: LabelDraft) -> list[dict[str, Any]]:
    expected = [_row_count(table.rows), *_identified()]
    for column in table.columns:
        is_label = column.name == label.rule.column
        if column.role == "feature" or is_label:
            expected += _present(column) + _values(column, is_label=is_label)
    return expected


def _curated(features: list[ColumnSketch], label: LabelDraft, *, rows: int) -> list[dict[str, Any]]:
    share = label.positives / label.rows
    error = _STANDARD_ERRORS * _standard_error(share, rows=label.rows)
    expected = [_row_count(rows), *_identified()]
    for column in features:
        expected += _present(column)
        if column.kind == "boolean":
            why = "Booleans become 0 and 1."
            expected.append(_entry(_IN_SET, why, column=column.name, value_set=[0.0, 1.0]))
    return [
        *expected,
        _required_value("label", "A row without a label teaches nothing."),
        _required_set("label", [0, 1], "Two classes."),
        _entry(
            "column_mean_to_be_between",
            f"Both classes are there; {share:.3f} when this was drafted.",
            column="label",
            min_value=_rounded(max(share / 20, min(share / 3, share - error))),
            max_value=_rounded(1 - max((1 - share) / 20, min((1 - share) / 3, 1 - share - error))),
        ),
    ]


def _predictions() -> list[dict[str, Any]]:
    return [
        _required("table_row_count_to_be_between", "No predictions is no result.", min_value=1),
        _required(
            "table_columns_to_match_set",
            "Readers of the table rely on these columns.",
            column_set=list(PREDICTION_COLUMNS),
            exact_match=True,
        ),
        *_identified(),
        _required_value("probability", "The model answers for every row."),
        _required("column_values_to_be_between", "A probability.", column="probability", min_value=0, max_value=1),
        _required_value("decision", "Every row is decided."),
        _required_set("decision", [0, 1], "Yes or no."),
        _required_value("model_version", "Which model said so."),
    ]


def _row_count(rows: int) -> dict[str, Any]:
    return _entry("table_row_count_to_be_between", f"{rows} rows when this was drafted.", min_value=max(1, rows // 2))


def _identified() -> list[dict[str, Any]]:
    unique = "A row that is there twice would count twice."
    return [
        _required_value("row_id", "Every row must be traceable to its source."),
        _required("column_values_to_be_unique", unique, column="row_id"),
    ]


def _present(column: ColumnSketch) -> list[dict[str, Any]]:
    if not column.missing:
        return [_entry(_NOT_NULL, "No value was missing when this was drafted.", column=column.name)]
    share = column.missing / len(column.values)
    why = f"{share:.1%} were missing when this was drafted."
    mostly = _mostly(1 - share, rows=len(column.values))
    return [_entry(_NOT_NULL, why, column=column.name, mostly=mostly)]


def _required_value(column: str, why: str) -> dict[str, Any]:
    return _required(_NOT_NULL, why, column=column)


def _required_set(column: str, values: list[Any], why: str) -> dict[str, Any]:
    return _required(_IN_SET, why, column=column, value_set=values)


def _values(column: ColumnSketch, *, is_label: bool) -> list[dict[str, Any]]:
    present = column.values.dropna()
    if column.kind == "boolean" or present.empty:
        return []
    if column.kind == "text":
        return _texts(column.name, present, is_label=is_label)
    return _numbers(column.name, np.sort(present.to_numpy(dtype=np.float64)))


def _texts(name: str, present: pd.Series, *, is_label: bool) -> list[dict[str, Any]]:
    counts = present.value_counts()
    if len(counts) > _MOST_LISTED_TEXTS:
        return []
    texts = sorted(counts.index.tolist())
    if is_label:
        # Of a new class nobody has said whether it is positive: a single row with one is worth a look.
        return [_entry(_IN_SET, "The classes seen when this was drafted.", column=name, value_set=texts)]
    why = "The texts seen when this was drafted; a new one is a new kind of row, or a misspelling."
    # The texts that were seen once estimate how many of the next rows have one that was not seen (Good and Turing).
    unseen = int((counts == 1).sum()) / len(present)
    mostly = _mostly(1 - unseen, rows=len(present))
    return [_entry(_IN_SET, why, column=name, value_set=texts, mostly=mostly)]


def _numbers(name: str, numbers: np.ndarray) -> list[dict[str, Any]]:
    low, high = _bulk(numbers)
    least, greatest = _rounded_out(low, high)
    inside = float(((numbers >= least) & (numbers <= greatest)).mean())
    all_or_most = "All values lay" if inside == 1 else f"{inside:.1%} of the values lay"
    why = f"{all_or_most} there when this was drafted, all between {numbers[0]:g} and {numbers[-1]:g}."
    mostly = _mostly(min(inside, 1 - _TAIL), rows=len(numbers))
    between = _entry(
        "column_values_to_be_between", why, column=name, min_value=least, max_value=greatest, mostly=mostly
    )
    if numbers[0] < 0 or not _never_negative(numbers):
        return [between]
    return [between, _entry("column_min_to_be_between", "No value is negative.", column=name, min_value=0)]


def _bulk(numbers: np.ndarray) -> tuple[float, float]:
    """Return the range of all sorted numbers but those at either end; of all where few are different."""
    if len(np.unique(numbers)) > _MOST_LISTED_NUMBERS:
        low, high = np.quantile(numbers, (_TAIL, 1 - _TAIL))
        if low < high:
            return float(low), float(high)
    return float(numbers[0]), float(numbers[-1])


def _never_negative(numbers: np.ndarray) -> bool:
    """Return whether sorted numbers, none of them negative, show that zero is a bound of theirs.

    They do if zero is farther from the least of them than the lowest few lie apart, or if they reach it in such
    numbers that some would lie below it if it were no bound: a tail that thins out evenly has below zero as many times
    fewer as in the stretch above it than in the next one.
    """
    few = max(20, len(numbers) // 100)
    if len(numbers) <= 2 * few:
        return False
    low, reach = numbers[0], numbers[few]
    if reach == 0 or reach - low < low:
        return True
    first, second = (numbers <= reach).sum(), ((numbers > reach) & (numbers <= 2 * reach)).sum()
    return bool(first * min(1.0, first / max(second, 1)) >= _SHOWN_AT_ZERO)


def _mostly(share: float, *, rows: int) -> float:
    """Return the share of the next table's rows to ask for where this share of the rows meets an expectation now."""
    tolerance = max(_LEAST_TOLERANCE, _STANDARD_ERRORS * _standard_error(share, rows=rows))
    return max(_rounded(share - tolerance), 0.01)


def _standard_error(share: float, *, rows: int) -> float:
    """Return the standard error of the difference between this share and that of another table of the same source."""
    return math.sqrt(share * (1 - share) * (1 / rows + 1 / min(rows, _NEXT_ROWS)))


def _rounded_out(low: float, high: float) -> tuple[float, float]:
    """Return a range of few digits around this one: three of the width, and three of each bound that is near zero."""
    width = high - low or abs(high) or 1.0
    return 0.0 - _rounded_up(-low, width=width), _rounded_up(high, width=width)


def _rounded_up(value: float, *, width: float) -> float:
    if value == 0:
        return 0.0
    unit = Decimal(1).scaleb(math.floor(math.log10(min(abs(value), width))) - 2)
    # Twelve digits, as what arithmetic left in the last ones must not round a bound up.
    rounded = float(Decimal(f"{value:.12g}").quantize(unit, rounding=ROUND_CEILING))
    return max(rounded, value)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

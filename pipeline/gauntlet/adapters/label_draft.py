"""This module provides the first label rule of a table: from its two values, or from what was asked."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.table_sketch import ColumnSketch
from gauntlet.core.errors import InputError
from gauntlet.core.problem import LabelRule

_COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(.*?)\s*", re.DOTALL)
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_YES_WORDS = frozenset(("yes", "y", "t", "true", "positive", "pos", "1", "ja", "oui", "si"))
_NO_WORDS = frozenset(("no", "n", "f", "false", "negative", "neg", "0", "nein", "non"))
_SHOWN_VALUES = 6


@dataclass(frozen=True)
class LabelDraft:
    """A label rule, and what it says of the table.

    Attributes:
        rule: The rule.
        rows: The rows that have a label.
        positives: Those of the positive class.
        missing: The rows without a value to make a label from.
        guessed: Whether which class is positive was chosen here, not by the user or the values' own meaning.
    """

    rule: LabelRule
    rows: int
    positives: int
    missing: int
    guessed: bool


def draft_label(column: ColumnSketch, *, positive: str | None, path: Path) -> LabelDraft:
    """Return the rule that makes a label of a column.

    Args:
        column: The column.
        positive: The positive class, a value or a comparison such as ``>= 7``; None chooses where two values are left.
        path: The table, for messages.

    Raises:
        InputError: If no rule for two classes follows, or all rows would be of one class.
    """
    present = column.values.dropna()
    where = f"{path}: label {column.source_name!r}"
    if present.nunique() < 2:
        raise InputError(f"{where} has {present.nunique()} different value(s); two classes are needed")
    guessed = False
    if positive is not None:
        comparison, value = _asked(column, positive, where=where)
    else:
        comparison, (value, guessed) = "==", _chosen(present, column, where=where)
    rule = LabelRule(rule=_rule_text(column, comparison, value), positive=_words(column, comparison, value))
    return replace(rule_draft(rule, column, path=path), guessed=guessed)


def rule_draft(rule: LabelRule, column: ColumnSketch, *, path: Path) -> LabelDraft:
    """Return what a rule that there is already says of a column.

    Raises:
        InputError: If it holds for all rows or for none.
    """
    present = column.values.dropna()
    positives = int(positive_rows(rule, present).sum())
    if positives in (0, len(present)):
        says = "no row" if positives == 0 else "every row"
        where = f"{path}: label {column.source_name!r}"
        raise InputError(f"{where}: {rule.rule!r} holds for {says}; it has {_listed(present)}")
    missing = len(column.values) - len(present)
    return LabelDraft(rule=rule, rows=len(present), positives=positives, missing=missing, guessed=False)


def positive_rows(rule: LabelRule, present: pd.Series) -> NDArray[np.bool_]:
    """Return for which values, none of them missing, a rule holds."""
    return np.asarray(_COMPARE[rule.operator](present, rule.value), dtype=np.bool_)


def _asked(column: ColumnSketch, positive: str, *, where: str) -> tuple[str, Any]:
    match = _COMPARISON.fullmatch(positive)
    comparison, text = (match.group(1), match.group(2)) if match else ("==", positive.strip())
    if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    if not text:
        raise InputError(f"--positive {positive!r}: give a value, or a comparison such as '>= 7'")
    if column.kind in ("text", "boolean") and comparison not in ("==", "!="):
        raise InputError(f"{where} holds {column.kind} values, which can be compared with == and != only")
    if column.kind == "text":
        return comparison, text
    if column.kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise InputError(f"{where} holds true and false; --positive {positive!r} is neither")
        return comparison, text.lower() == "true"
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"{where} holds numbers; --positive {positive!r} compares with none")
    return comparison, number


def _chosen(present: pd.Series, column: ColumnSketch, *, where: str) -> tuple[Any, bool]:
    """Return the positive one of two values, and whether that was a guess."""
    if column.kind == "boolean":
        return True, False
    distinct = sorted(present.unique().tolist())
    if len(distinct) > 2:
        raise InputError(
            f"{where} has {len(distinct)} different values ({_listed(present)}): multi-class and regression labels are "
            "not supported; say which are positive with --positive VALUE or --positive '>= 7', or write label.rule by "
            "hand"
        )
    if column.kind != "text":
        return float(distinct[1]), distinct != [0, 1]
    yes = [value for value in distinct if value.strip().lower() in _YES_WORDS]
    if len(yes) == 1:
        (other,) = (value for value in distinct if value != yes[0])
        return yes[0], other.strip().lower() not in _NO_WORDS
    counts = present.value_counts()
    return min(distinct, key=lambda value: (counts[value], value)), True


def _rule_text(column: ColumnSketch, comparison: str, value: Any) -> str:
    if value is True and comparison == "==":
        return column.name
    if isinstance(value, str):
        # The rule ends at its last quote, so quotes inside need no escape.
        return f'{column.name} {comparison} "{value}"'
    return f"{column.name} {comparison} {_plain(value)}"


def _words(column: ColumnSketch, comparison: str, value: Any) -> str:
    if comparison == "==":
        return column.source_name if value is True else f"{column.source_name} {_plain(value)}"
    return f"{column.source_name} {comparison} {_plain(value)}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def _listed(present: pd.Series) -> str:
    distinct = sorted(present.unique().tolist())
    shown = ", ".join(repr(value) if isinstance(value, str) else _plain(value) for value in distinct[:_SHOWN_VALUES])
    return f"{shown} …" if len(distinct) > _SHOWN_VALUES else shown

"""This module provides the forecast of what the gates can judge on a table of a given size, before anything is run.

It uses the gates' own constants. The standard error of an AUC is that of J. A. Hanley and B. J. McNeil, "The meaning
and use of the area under a receiver operating characteristic (ROC) curve", Radiology 143 (1982) 29-36.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from gauntlet.core.gate_rules import (
    CROSS_FITTED_BELOW_CLASS_ROWS,
    CROSS_FITTED_BELOW_ROWS,
    MINIMUM_CLASS_ROWS,
    ModelRules,
)
from gauntlet.core.statistics.intervals import normal_quantile

# The AUC at which errors are foretold; the model's own is not known yet.
_ASSUMED_AUC = 0.8
# How the AUCs of two equal models correlate on the same rows where their answers are near each other: with it the power
# is that measured on simulated tables, 0.79 on 400 test rows of which 30 % are positive.
_CORRELATION = 0.95


@dataclass(frozen=True)
class Judgeable:
    """One thing that gates judge.

    Attributes:
        what: What it is, for people.
        rows_needed: From about how many rows of the table, with its share of positives, it can be judged.
        judged: Whether this table has as many.
    """

    what: str
    rows_needed: int
    judged: bool


@dataclass(frozen=True)
class Forecast:
    """What can be judged on a table.

    Attributes:
        rows: The rows that have a label.
        positives: Those of the positive class.
        test_positives: About how many of them the test split gets.
        test_negatives: The same of the others.
        auc_error: Half the width of the 95 % interval of an AUC of 0.8 on test; None where test is too small for one.
        cross_fitted: Whether the floor of the AUC takes a cross-fitted estimate, because the test split is too small.
        parts: What is judged, or from how many rows it could be.
        costs_set: Whether the costs of wrong decisions are set, so that decisions are judged.
    """

    rows: int
    positives: int
    test_positives: int
    test_negatives: int
    auc_error: float | None
    cross_fitted: bool
    parts: tuple[Judgeable, ...]
    costs_set: bool

    def sentences(self) -> tuple[str, ...]:
        """Return the forecast for people, one sentence a line."""
        share = self.positives / self.rows
        lines = [
            f"{self.rows:,} rows, {share:.1%} positive; the test split gets about "
            f"{self.test_positives + self.test_negatives:,}: {self.test_positives:,} positive, "
            f"{self.test_negatives:,} negative."
        ]
        can = [part.what for part in self.parts if part.judged]
        if can:
            lines.append(f"Can be judged: {', '.join(can)}.")
        cannot = [f"{part.what} (from about {part.rows_needed:,} rows)" for part in self.parts if not part.judged]
        if cannot:
            lines.append(f"Cannot be judged at this size: {', '.join(cannot)}.")
        if self.cross_fitted:
            lines.append("The floor of the AUC is judged by five cross-fitted folds, as the test split is small.")
        if not self.costs_set:
            lines.append("Costs are not set: decisions are reported, not judged; set [costs] to have them judged.")
        return tuple(lines)

    def document(self) -> dict[str, Any]:
        """Return the forecast for machines."""
        return asdict(self) | {"sentences": list(self.sentences())}


def forecast(*, rows: int, positives: int, test_fraction: float, rules: ModelRules, costs_set: bool) -> Forecast:
    """Return what can be judged on a table.

    Args:
        rows: The rows that have a label.
        positives: Those of the positive class; neither none nor all.
        test_fraction: The share of the rows that the test split gets.
        rules: The bounds of the gates on the model.
        costs_set: Whether the problem sets costs.
    """
    rarer = min(positives, rows - positives)
    test_positives = round(positives * test_fraction)
    test_negatives = round((rows - positives) * test_fraction)
    fewest = min(test_positives, test_negatives)

    def part(what: str, class_rows: int, *, least: int = 0) -> Judgeable:
        needed = max(least, math.ceil(class_rows / (rarer / rows * test_fraction)))
        return Judgeable(what, _in_two_digits(needed), judged=rows >= needed)

    comparison = _rows_to_compare(positives / rows, rules) / test_fraction
    error = None
    if fewest >= MINIMUM_CLASS_ROWS:
        error = normal_quantile(0.975) * _auc_error(_ASSUMED_AUC, test_positives, test_negatives)
    parts = (
        part("the AUC on test" if error is None else f"the AUC on test to ±{error:.2f}", MINIMUM_CLASS_ROWS),
        part("slices by region", rules.region_class_rows),
        part("a comparison with a champion", rules.minimum_class_rows, least=math.ceil(comparison)),
    )
    return Forecast(
        rows=rows,
        positives=positives,
        test_positives=test_positives,
        test_negatives=test_negatives,
        auc_error=error,
        cross_fitted=rows < CROSS_FITTED_BELOW_ROWS or fewest < CROSS_FITTED_BELOW_CLASS_ROWS,
        parts=parts,
        costs_set=costs_set,
    )


def _in_two_digits(rows: int) -> int:
    """Return a number of rows rounded up to two digits: a forecast knows no more."""
    step: int = 10 ** max(0, len(str(rows)) - 2)
    return math.ceil(rows / step) * step


def _auc_error(auc: float, positives: float, negatives: float) -> float:
    """Return Hanley and McNeil's standard error of an AUC."""
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (first - auc**2) + (negatives - 1) * (second - auc**2)
    return math.sqrt(variance / (positives * negatives))


def _rows_to_compare(share: float, rules: ModelRules) -> float:
    """Return how many test rows show that an equal model is not worse, with the power that the rules ask for."""
    wanted = rules.margins["auc"] / (normal_quantile(1 - rules.alpha) + normal_quantile(rules.power))
    # Errors fall with the square root of the rows.
    rows = 10_000.0
    error = _auc_error(_ASSUMED_AUC, share * rows, (1 - share) * rows) * math.sqrt(2 * (1 - _CORRELATION))
    return rows * (error / wanted) ** 2

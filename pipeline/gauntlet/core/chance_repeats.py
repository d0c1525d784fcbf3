"""This module provides the question whether rows that repeat each other are copies, or coincide by chance.

In a coarse table (a few columns of a few values each) most rows have the features of another row, and none was copied.
Repeats are by chance if three things hold:

- The columns alone explain them: no more than 1.5 times as many rows repeat as after each column was permuted.
- Labels agree no more than chance would make them. Each row's risk is estimated without the rows of its own features (a
  boosted tree and a logistic regression, cross-fitted in five folds of vectors). A row's residual, label less risk, is
  multiplied by the mean residual of the rows that it repeats: independent labels give 0 in the mean, copies give the
  whole variance of the label. The sum is compared with that of labels permuted among rows of like risk, so a risk that
  is estimated too low or too high in places changes nothing. Its whole interval must lie beyond a tenth of
  the variance, since no model is without error.
- Where the rows are divided already: rows of equal features and label stand in different splits no more than after the
  splits' names were permuted among rows of equal label. A free division makes that an exact test. It finds test
  rows that were copied into train even where most rows repeat anyway.

Copies that are few beside very many chance repeats are not found, and matter little: a model has seen the same features
in dozens of other rows, and learns nothing new from one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.grouping import SPLIT_ORDER, near_neighbours
from gauntlet.core.problem import Column
from gauntlet.core.seeding import Seeds
from gauntlet.core.statistics.intervals import normal_tail

# More rows than these are sampled: chance repeats and copies thin out alike.
MOST_ROWS = 50_000
MOST_NEAR_ROWS = 20_000

_MOST_TIMES = 1.5
_COLUMN_PERMUTATIONS = 5
_PERMUTATIONS = 199
_LEVEL = 0.001
_MOST_AGREEMENT = 0.1
_ONE_SIDED_99 = 2.326
_FOLDS = 5
_LEAST_CLASS_ROWS = 10
_ROWS_OF_A_STRATUM = 50
_STRATA = (5, 20)


@dataclass(frozen=True)
class RepeatedRows:
    """What is known of the rows that repeat others.

    Attributes:
        rows: The number of rows that were looked at.
        repeats: How many of them repeat another row.
        expected: How many would, if the columns were independent.
        agreement: How much more the labels of repeated rows agree than chance makes them, as a share of the label's
            variance.
        least_agreement: The lower end of its interval, one-sided, of 99 %.
        across: How many rows of equal features and label stand in different splits: of each set of m such rows the
            number of pairs that lie apart, divided by m. None where rows are not divided.
        across_expected: What a free division gives; None where rows are not divided.
        across_p: The one-sided p-value of ``across``.
    """

    rows: int
    repeats: int
    expected: float
    agreement: float
    least_agreement: float
    across: float | None = None
    across_expected: float | None = None
    across_p: float = 1.0

    @property
    def by_chance(self) -> bool:
        """Whether no part of the question speaks for copies."""
        return not self.fault

    @property
    def fault(self) -> str:
        """Why repeats are not by chance, for people; empty if they are."""
        if self.repeats > _MOST_TIMES * self.expected:
            return (
                f"{self.repeats} of {self.rows} rows repeat another, where columns permuted independently repeat "
                f"{self.expected:.0f}"
            )
        if self.least_agreement > _MOST_AGREEMENT:
            return f"{self._agreement}, as those of copies do"
        if self.across is not None and self.across_p < _LEVEL:
            return (
                "rows of equal features and label stand in different splits more often than a free division puts them "
                f"there ({self.across:.1f} instead of {self.across_expected:.1f}, p {self.across_p:.2g})"
            )
        return ""

    @property
    def doubt(self) -> str:
        """What speaks for copies but may be chance, for people; empty if nothing does, or if there is a fault."""
        if self.fault or self.agreement <= _MOST_AGREEMENT or self.least_agreement <= 0:
            return ""
        return f"{self._agreement}; some may be copies"

    @property
    def _agreement(self) -> str:
        return (
            "the labels of rows that repeat each other agree more than chance would make them (by "
            f"{self.agreement:.0%} of their variance, at least {self.least_agreement:.0%})"
        )

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        return (
            self.fault
            or self.doubt
            or (
                f"{self.repeats} of {self.rows} rows repeat another by chance: columns permuted independently repeat "
                f"{self.expected:.0f}, and their labels agree no more than chance makes them"
            )
        )


def judge_repeats(
    rows: pd.DataFrame, *, columns: Sequence[Column], seeds: Seeds, near: bool = False, relative_tolerance: float = 0.0
) -> RepeatedRows:
    """Return whether rows that repeat each other do so by chance; the order of rows matters, so give a stable one.

    Args:
        rows: The features, ``label`` (0 or 1) and, where the rows are divided, ``split``.
        columns: The features' descriptions.
        seeds: The source of random draws.
        near: Whether rows within one measuring unit of each other count as repeats, too.
        relative_tolerance: For near repeats: how far apart, relative to the greater, numbers without a resolution lie.
    """
    draw, most = seeds.generator("repeats", int(near)), MOST_NEAR_ROWS if near else MOST_ROWS
    if len(rows) > most:
        rows = rows.iloc[np.sort(draw.choice(len(rows), most, replace=False))]
    rows = rows.reset_index(drop=True)
    features = rows[[column.name for column in columns]]

    def twins_of(table: pd.DataFrame) -> _Twins:
        if near:
            return _NearTwins(len(table), *near_neighbours(table, columns, relative_tolerance=relative_tolerance))
        return _EqualTwins(_vectors(table))

    twins = twins_of(features)
    permuted = [
        twins_of(pd.DataFrame({name: draw.permutation(values.to_numpy()) for name, values in features.items()})).repeats
        for _ in range(_COLUMN_PERMUTATIONS)
    ]
    label = rows["label"].to_numpy(dtype=np.float64)
    agreement, least = _agreement(features, label, columns, twins, draw)
    found = RepeatedRows(len(rows), twins.repeats, float(np.mean(permuted)), agreement, least)
    if "split" not in rows:
        return found
    place = rows["split"].map({name: place for place, name in enumerate(SPLIT_ORDER)}).to_numpy(dtype=np.int64)
    across = twins.apart(place, label)
    drawn = np.array([twins.apart(_permuted(place, label, draw), label) for _ in range(_PERMUTATIONS)])
    return RepeatedRows(
        rows=len(rows),
        repeats=twins.repeats,
        expected=found.expected,
        agreement=agreement,
        least_agreement=least,
        across=across,
        across_expected=float(drawn.mean()),
        across_p=_tail(across, drawn),
    )


@dataclass(frozen=True)
class _EqualTwins:
    """Rows with equal features; ``vector`` numbers them from 0."""

    vector: NDArray[np.int64]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Which rows repeat another."""
        repeated: NDArray[np.bool_] = np.bincount(self.vector)[self.vector] > 1
        return repeated

    @property
    def repeats(self) -> int:
        """How many rows repeat another, not counting the first of each."""
        return len(self.vector) - int(self.vector.max()) - 1

    def mean_of_others(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the rows that each row repeats; 0 where it repeats none."""
        count = np.bincount(self.vector)[self.vector]
        others = np.bincount(self.vector, weights=values)[self.vector] - values
        return others / np.maximum(count - 1, 1)

    def apart(self, place: NDArray[np.int64], label: NDArray[np.float64]) -> float:
        """Return the pairs of equal label and different place, of each set of rows divided by its rows."""
        key = (self.vector * 2 + label.astype(np.int64)) * len(SPLIT_ORDER) + place
        counts = np.bincount(key, minlength=2 * len(SPLIT_ORDER) * (int(self.vector.max()) + 1))
        counts = counts.reshape(-1, len(SPLIT_ORDER)).astype(np.float64)
        rows = counts.sum(axis=1)
        return float(((rows**2 - (counts**2).sum(axis=1)) / np.maximum(2 * rows, 1)).sum())


@dataclass(frozen=True)
class _NearTwins:
    """Rows near each other: row ``first[k]`` has the near row ``second[k]``."""

    rows: int
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Which rows have a near one."""
        return np.bincount(self.first, minlength=self.rows) > 0

    @property
    def repeats(self) -> int:
        """How many rows have a near one."""
        return int(self.repeated.sum())

    def mean_of_others(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the rows near each row; 0 where there is none."""
        count = np.bincount(self.first, minlength=self.rows)
        total = np.bincount(self.first, weights=values[self.second], minlength=self.rows)
        return total / np.maximum(count, 1)

    def apart(self, place: NDArray[np.int64], label: NDArray[np.float64]) -> float:
        """Return the pairs of equal label and different place, of each row divided by the rows near it."""
        counted = (place[self.first] != place[self.second]) & (label[self.first] == label[self.second])
        return float((counted / np.bincount(self.first, minlength=self.rows)[self.first]).sum())


_Twins = _EqualTwins | _NearTwins


def _vectors(features: pd.DataFrame) -> NDArray[np.int64]:
    vector: NDArray[np.int64] = (
        features.groupby(list(features.columns), dropna=False, sort=False).ngroup().to_numpy(dtype=np.int64)
    )
    return vector


def _agreement(
    features: pd.DataFrame,
    label: NDArray[np.float64],
    columns: Sequence[Column],
    twins: _Twins,
    draw: np.random.Generator,
) -> tuple[float, float]:
    """Return how much more the labels of repeated rows agree than chance makes them, and the interval's lower end."""
    repeated = twins.repeated
    if not repeated.any() or np.bincount(label.astype(np.int64), minlength=2).min() < _LEAST_CLASS_ROWS:
        return 0.0, 0.0
    risk = _risk(features, label, columns, draw)
    strata = int(np.clip(len(label) // _ROWS_OF_A_STRATUM, *_STRATA))
    stratum = np.searchsorted(np.quantile(risk, np.linspace(0, 1, strata + 1)[1:-1]), risk)

    def total(truth: NDArray[np.float64]) -> float:
        residual = truth - risk
        return float((residual * twins.mean_of_others(residual))[repeated].sum())

    observed = total(label)
    drawn = np.array([total(_permuted(label, stratum, draw)) for _ in range(_PERMUTATIONS)])
    variance = float((risk * (1 - risk))[repeated].sum())
    agreement, error = (observed - float(drawn.mean())) / variance, float(drawn.std(ddof=1)) / variance
    return agreement, agreement - _ONE_SIDED_99 * error


def _risk(
    features: pd.DataFrame, label: NDArray[np.float64], columns: Sequence[Column], draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return each row's risk, estimated without the rows of its own features."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - takes a second to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415 - takes a second to import
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - takes a second to import
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - takes a second to import
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - takes a second to import
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with scikit-learn

    matrix = encode(features, learn_encoding(features, columns)).astype(np.float64)
    vector = _vectors(features)
    fold = (draw.permutation(int(vector.max()) + 1) % _FOLDS)[vector]
    models = (
        HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, early_stopping=False, random_state=0),
        make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), LogisticRegression()
        ),
    )
    risk = np.full(len(label), label.mean())
    # Sums over threads would depend on their number.
    with threadpool_limits(1):
        for number in range(_FOLDS):
            known, asked = fold != number, fold == number
            if asked.any() and len(np.unique(label[known])) == 2:
                answers = [
                    model.fit(matrix[known], label[known]).predict_proba(matrix[asked])[:, 1] for model in models
                ]
                risk[asked] = np.mean(answers, axis=0)
    clipped: NDArray[np.float64] = np.clip(risk, 0.01, 0.99)
    return clipped


def _permuted(values: NDArray[Any], stratum: NDArray[Any], draw: np.random.Generator) -> NDArray[Any]:
    """Return the values permuted within each stratum."""
    changed = np.empty_like(values)
    changed[np.argsort(stratum, kind="stable")] = values[np.lexsort((draw.random(len(values)), stratum))]
    return changed


def _tail(observed: float, drawn: NDArray[np.float64]) -> float:
    """Return the one-sided p-value of an observed value by the mean and the deviation of drawn ones."""
    spread = float(drawn.std(ddof=1))
    if spread == 0:
        return 0.0 if observed > drawn.mean() else 1.0
    return normal_tail((observed - float(drawn.mean())) / spread)

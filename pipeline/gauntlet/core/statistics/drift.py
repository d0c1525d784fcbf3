"""This module provides drift: how far the values of a column, or of several, have moved from a reference.

Two answers are given of each column. The population stability index says how far (by custom, below 0.1 is little and
above 0.25 is much). A test's p-value says whether chance alone could have moved it so. With very many rows a harmless
move is significant, with very few a large index is chance; a gate should ask for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.columns import as_numbers, is_binary, is_number
from gauntlet.core.statistics.holm import holm_adjusted

# The index tells so many values of a text apart, the reference's most frequent; its others count as one.
MOST_VALUES = 50

# The chi-squared approximation is trusted where at least so many rows are expected (Cochran's rule).
_LEAST_EXPECTED = 5

# Half a row is added to each bin, so that no share is 0 and the index is finite.
_SMOOTHING = 0.5


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        column: The column's name.
        psi: The population stability index; 0 where nothing moved.
        p: The p-value of "both samples are of one distribution".
        adjusted_p: The p-value after Holm's adjustment over all columns.
    """

    column: str
    psi: float
    p: float
    adjusted_p: float


def drift(reference: pd.DataFrame, current: pd.DataFrame, *, columns: Sequence[str]) -> tuple[ColumnDrift, ...]:
    """Return how far each column has moved from the reference.

    Args:
        reference: The rows to compare with, such as the training rows.
        current: The rows that may have moved, such as the ones to score.
        columns: The columns to compare.

    Raises:
        DataError: If no column is named, one is missing, a table has no rows, a reference column holds nothing but
            missing values, a number is infinite, or a column is numbers in one table and not in the other.
    """
    missing = [name for name in columns if name not in reference.columns or name not in current.columns]
    if missing:
        raise DataError(f"drift: no such column in one of the tables: {', '.join(missing)}")
    pairs = {name: _paired(reference[name], current[name], name) for name in columns}
    p_values = {name: _p_value(*pair) for name, pair in pairs.items()}
    adjusted = holm_adjusted(p_values)
    return tuple(
        ColumnDrift(column=name, psi=_stability(*pair, bins=10), p=p_values[name], adjusted_p=adjusted[name])
        for name, pair in pairs.items()
    )


def population_stability_index(reference: Any, current: Any, *, bins: int = 10) -> float:
    """Return the population stability index: the sum over bins of (c - r) ln(c / r), for shares c and r.

    Numbers are binned by the reference's quantiles, or by value where the reference has no more values than ``bins``;
    texts and booleans by value, what the reference does not know in a bin of its own. Missing values are a bin too.
    Half a row is added to each bin, so that an empty one gives a large index and not an infinite one.

    Args:
        reference: One value a row.
        current: One value a row; the two need not be of one length.
        bins: The number of bins for numbers.

    Raises:
        DataError: If there are no rows, the reference is all missing, a number is infinite, or one is numbers and the
            other is not.
    """
    if bins < 2:
        raise DataError(f"drift: at least 2 bins are needed, not {bins}")
    return _stability(*_paired(reference, current, "values"), bins=bins)


def two_sample_p(reference: Any, current: Any) -> float:
    """Return the p-value of "both samples are of one distribution".

    Numbers are compared by the two-sample Kolmogorov-Smirnov test; a missing value counts as less than all numbers, so
    that a changed share of missing ones counts too. Where numbers are tied (readings of few decimals) that test is
    conservative: its p-value is too large rather than too small. Texts, booleans and numbers of at most two values are
    compared by Pearson's chi-squared test of homogeneity, a missing value being a value of its own; values with few
    rows are put together, and of two values with fewer than five rows expected Fisher's exact test is taken.

    Raises:
        DataError: As ``population_stability_index``.
    """
    return _p_value(*_paired(reference, current, "values"))


def _paired(reference: Any, current: Any, name: str) -> tuple[pd.Series, pd.Series]:
    """Return both columns as float64, or both as objects; a missing value is NaN."""
    before, after = pd.Series(reference), pd.Series(current)
    if len(before) == 0 or len(after) == 0:
        raise DataError(f"drift: {name}: there are {len(before)} reference and {len(after)} current rows to compare")
    if before.isna().all():
        raise DataError(f"drift: {name}: all {len(before)} values of the reference are missing")
    if is_number(before):
        return as_numbers(before, f"drift: the reference's {name}"), as_numbers(after, f"drift: {name}")
    if after.notna().any() and is_number(after) and not is_binary(before):
        raise DataError(f"drift: {name} holds numbers now, and did not in the reference")
    return _objects(before), _objects(after)


def _objects(column: pd.Series) -> pd.Series:
    found = column.astype(object)
    return found.where(found.notna(), np.nan)


def _stability(before: pd.Series, after: pd.Series, *, bins: int) -> float:
    counts = _bin_counts(before, after, bins=bins) + _SMOOTHING
    reference, current = counts / counts.sum(axis=1, keepdims=True)
    return float(np.sum((current - reference) * np.log(current / reference)))


def _p_value(before: pd.Series, after: pd.Series) -> float:
    from scipy.stats import ks_2samp  # noqa: PLC0415 - takes a while to import

    if before.dtype != np.float64 or pd.concat([before, after]).nunique() <= 2:
        return _homogeneity_p(_value_counts(before, after))
    # A missing value ranks below all numbers.
    samples = [column.fillna(-np.inf) for column in (before, after)]
    return float(ks_2samp(*samples, method="asymp").pvalue)


def _bin_counts(before: pd.Series, after: pd.Series, *, bins: int) -> NDArray[np.float64]:
    """Return the rows in each of the reference's bins: first the reference's, then the current ones."""
    known = before.dropna()
    if before.dtype == np.float64 and known.nunique() > bins:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
        places = [np.searchsorted(edges, column) for column in (before, after)]
        width = len(edges) + 1
    else:
        often = known.value_counts().to_dict()
        order = sorted(often, key=lambda value: (-often[value], str(value)))
        place = {value: min(number, MOST_VALUES) for number, value in enumerate(order)}
        width = max(place.values()) + 2
        places = [column.map(place).astype("float64").fillna(width - 1).to_numpy() for column in (before, after)]
    missing = [np.where(column.isna(), width, at) for column, at in zip((before, after), places, strict=True)]
    return _table(missing, width + 1)


def _value_counts(before: pd.Series, after: pd.Series) -> NDArray[np.float64]:
    """Return the rows of each value, by value: first the reference's, then the current ones."""
    codes, values = pd.factorize(pd.concat([before, after], ignore_index=True))
    order = np.argsort([str(value) for value in values], kind="stable")
    # A missing value has code -1 and comes last.
    place = np.append(np.argsort(order), len(values))[codes]
    return _table([place[: len(before)], place[len(before) :]], len(values) + 1)


def _table(places: Sequence[NDArray[Any]], width: int) -> NDArray[np.float64]:
    counts = np.stack([np.bincount(place.astype(np.int64), minlength=width) for place in places])
    return np.asarray(counts[:, counts.sum(axis=0) > 0], dtype=np.float64)


def _homogeneity_p(table: NDArray[np.float64]) -> float:
    from scipy.stats import chi2_contingency, fisher_exact  # noqa: PLC0415 - takes a while to import

    pooled = _pooled(table)
    if pooled.shape[1] < 2:  # one value everywhere: nothing moved
        return 1.0
    if pooled.shape[1] == 2 and _expected(pooled).min() < _LEAST_EXPECTED:
        return min(1.0, float(fisher_exact(pooled.astype(np.int64)).pvalue))
    return float(chi2_contingency(pooled, correction=False).pvalue)


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the table with rare values put together, next by next, until enough rows are expected of each group.

    What is put together depends on both samples alike, as it must for the test to keep its level.
    """
    least = _expected(table).min(axis=0)
    rare = np.flatnonzero(least < _LEAST_EXPECTED)
    frequent = table[:, least >= _LEAST_EXPECTED]
    so_far = np.concatenate([[0.0], np.cumsum(least[rare])])
    groups = max(1, int(so_far[-1] // _LEAST_EXPECTED))
    group = np.minimum(so_far[:-1] // _LEAST_EXPECTED, groups - 1).astype(np.int64)
    together = np.stack([np.bincount(group, weights=row[rare], minlength=groups) for row in table])
    pooled = np.column_stack([frequent, together[:, together.sum(axis=0) > 0]])
    if pooled.shape[1] == 1 and table.shape[1] > 1:  # all are rare: the most frequent against the rest
        first = int(np.argmax(table.sum(axis=0)))
        return np.column_stack([table[:, first], np.delete(table, first, axis=1).sum(axis=1)])
    return pooled


def _expected(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum(), dtype=np.float64)

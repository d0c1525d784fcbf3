"""This module provides Holm's step-down adjustment of several p-values."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.core.errors import DataError


def holm_adjusted(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted for how many there are, in the order given.

    Rejecting where the adjusted value is at most alpha keeps the chance of any wrong rejection at most alpha, whatever
    the dependence: the smallest of k is multiplied by k, the next by k - 1, and so on; none falls below an earlier one,
    none exceeds 1. S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979) 65-70.

    Raises:
        DataError: If there are no p-values, or one is not between 0 and 1.
    """
    if not p_values:
        raise DataError("statistics: there are no p-values to adjust")
    bad = [f"{name} is {p}" for name, p in p_values.items() if not 0 <= p <= 1]  # NaN fails the comparison too
    if bad:
        raise DataError(f"statistics: p-values must lie between 0 and 1: {', '.join(bad)}")
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}

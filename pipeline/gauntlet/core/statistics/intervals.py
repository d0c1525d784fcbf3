"""This module provides what estimates share: intervals, normal quantiles, and an estimate with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from gauntlet.core.errors import DataError

Interval = tuple[float, float]

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Estimate:
    """A number estimated from rows.

    Attributes:
        value: The estimate.
        interval: Its confidence interval.
    """

    value: float
    interval: Interval


def normal_quantile(probability: float) -> float:
    """Return the standard normal's quantile of a probability strictly between 0 and 1.

    Raises:
        DataError: If the probability is not strictly between 0 and 1.
    """
    if not 0 < probability < 1:  # NaN is not either
        raise DataError(f"statistics: a probability must lie between 0 and 1, both excluded, not {probability}")
    return _NORMAL.inv_cdf(probability)


def binomial_interval(share: float, trials: int, *, confidence: float) -> Interval:
    """Return the exact interval of a share of independent trials.

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934) 404-413.
    """
    from scipy.stats import beta  # noqa: PLC0415 - takes a while to import

    successes, outside = share * trials, (1 - confidence) / 2
    low = 0.0 if successes <= 0 else float(beta.ppf(outside, successes, trials - successes + 1))
    high = 1.0 if successes >= trials else float(beta.ppf(1 - outside, successes + 1, trials - successes))
    return low, high


def tail_of_difference(difference: float, standard_error: float) -> float:
    """Return the one-sided p-value of a normal estimate: the chance of one so far above 0 if the truth is 0.

    A standard error of 0 gives 0 for a positive difference, else 1.
    """
    if standard_error == 0:
        return 0.0 if difference > 0 else 1.0
    return normal_tail(difference / standard_error)


def normal_tail(value: float) -> float:
    """Return the probability that a standard normal is greater than a value; infinite values are allowed."""
    return _NORMAL.cdf(-value)

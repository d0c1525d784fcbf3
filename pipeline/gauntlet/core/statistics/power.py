"""This module provides the power of one-sided tests of a difference whose estimate is normal.

A difference d (positive: better) is shown to exceed a bound if (d - bound) / standard error is at least the normal
quantile of 1 - alpha. So the power at a true difference is the chance of that, and the standard error alone, not what
was observed, decides what could have been shown.
"""

from __future__ import annotations

import math

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.intervals import normal_quantile, normal_tail


def noninferiority_power(standard_error: float, *, margin: float, alpha: float, true_difference: float = 0.0) -> float:
    """Return the chance to show that the difference is greater than ``-margin``.

    Args:
        standard_error: The difference's standard error; with 0 the chance is 1 or 0.
        margin: How much worse is still allowed; not negative.
        alpha: The one-sided level of the test.
        true_difference: The true difference; 0 means equally good.

    Raises:
        DataError: If a number is NaN, infinite or out of its range.
    """
    _check(standard_error=standard_error, margin=margin)
    return _power(standard_error, true_difference + margin, alpha)


def superiority_power(standard_error: float, *, effect: float, alpha: float) -> float:
    """Return the chance to show that the difference is greater than 0 where it truly is ``effect``.

    Raises:
        DataError: If a number is NaN, infinite or out of its range.
    """
    _check(standard_error=standard_error)
    return _power(standard_error, effect, alpha)


def detectable_effect(standard_error: float, *, alpha: float, power: float) -> float:
    """Return the true difference at which ``superiority_power`` is ``power``.

    Raises:
        DataError: If a number is NaN, infinite or out of its range.
    """
    _check(standard_error=standard_error)
    return (normal_quantile(1 - alpha) + normal_quantile(power)) * standard_error


def _power(standard_error: float, distance: float, alpha: float) -> float:
    quantile = normal_quantile(1 - alpha)
    if not math.isfinite(distance):
        raise DataError(f"statistics: a difference must be finite, not {distance}")
    if standard_error == 0:
        return 1.0 if distance > 0 else 0.0
    return normal_tail(quantile - distance / standard_error)


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise DataError(f"statistics: {name.replace('_', ' ')} must be a finite number of at least 0, not {value}")

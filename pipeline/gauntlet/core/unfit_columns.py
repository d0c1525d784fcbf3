"""This module provides the columns that tell nothing of a row but which one it is: identifiers, constants, free text.

A whole number is an identifier if its values repeat less than chance would. Draws from R equally likely values repeat
the least of all measurements with that range, so the bound holds for every distribution. Of n draws a value is missed
with probability (1 - 1/R)^n, so n - R (1 - (1 - 1/R)^n) of them are expected to repeat an earlier one, and the number
of repeats is close to Poisson (W. Feller, "An Introduction to Probability Theory and Its Applications", vol. 1, 3rd
ed., 1968, sections II.5 and IV.2; where values are dense the Poisson tail is too wide, which is the careful side). R
counts steps of the values' greatest common divisor, so that numbers in steps of ten are identifiers as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.reading import ColumnKind

Reason = Literal["identifier", "constant", "free text"]

# With fewer values all may differ, or stand in order, by chance.
FEW_VALUES = 20

# A measurement is taken for an identifier at most so often: a table has many columns, and each is looked at twice.
_LEVEL = 1e-4

# An outlier (a 99999 that means "unknown") widens the range; this middle part of the values is looked at as well.
_MIDDLE = (0.05, 0.95)

# A text with at least so many words in the median is read, not looked up.
_WORDS_OF_A_TEXT = 4

_LARGEST_EXACT = 2.0**53
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST_WORDS = frozenset({"guid", "id", "ids", "idx", "index", "key", "no", "nr", "number", "row", "rownum", "uuid"})
_FIRST_WORDS = frozenset({"id", "unnamed"})


@dataclass(frozen=True)
class UnfitColumn:
    """Why a column should not be a feature.

    Attributes:
        reason: What the column is.
        sentence: How that was found, for people: "no value repeats in 891 rows, where chance would repeat 328".
    """

    reason: Reason
    sentence: str


def find_unfitness(
    values: pd.Series,
    *,
    kind: ColumnKind,
    measured: bool = False,
    order: NDArray[np.int64] | None = None,
    maximum_distinct_share: float = 0.95,
) -> UnfitColumn | None:
    """Return why a column should not be a feature; None if it may be one, or if it has too few values to tell.

    Args:
        values: The values, one a row, missing where there is none; ``values.name`` is the column's name.
        kind: What the problem says that they are.
        measured: Whether whole numbers are known to be a measurement (the column has a resolution).
        order: Each row's place in the source; None where it is not known.
        maximum_distinct_share: A text with more distinct values for each row that has one is free text, or an
            identifier.
    """
    places = np.arange(len(values)) if order is None else np.argsort(order, kind="stable")
    present = values.iloc[places].dropna()
    if len(present) < FEW_VALUES:
        return None
    if len(present) == len(values) and present.nunique() == 1:
        return UnfitColumn("constant", f"all {len(present)} rows hold {present.iloc[0]}")
    if kind == "text":
        return _unfit_text(present.astype(str), maximum_distinct_share)
    numbers = pd.to_numeric(present).to_numpy(dtype=np.float64)
    if kind == "boolean" or measured or np.abs(numbers).max() >= _LARGEST_EXACT:
        return None
    return _unfit_number(numbers, name=str(values.name), ordered=order is not None)


def _unfit_text(texts: pd.Series, maximum_distinct_share: float) -> UnfitColumn | None:
    distinct = texts.nunique()
    if distinct <= maximum_distinct_share * len(texts):
        return None
    seen = f"{distinct} different texts in {len(texts)} rows"
    words = float(texts.str.split().str.len().median())
    if words >= _WORDS_OF_A_TEXT:
        return UnfitColumn("free text", f"{seen}, of {words:.0f} words in the median")
    return UnfitColumn("identifier", f"{seen}, such as {texts.iloc[0]}")


def _unfit_number(numbers: NDArray[np.float64], *, name: str, ordered: bool) -> UnfitColumn | None:
    steps = np.diff(numbers)
    even = steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-9, atol=0)
    if ordered and even:
        return UnfitColumn("identifier", f"its {len(numbers)} values have equal steps in the order of the file")
    if not (numbers == np.floor(numbers)).all():
        return None
    if ordered and ((steps > 0).all() or (steps < 0).all()):
        return UnfitColumn("identifier", f"its {len(numbers)} values are in the order of the file, and none repeats")
    low, high = np.quantile(numbers, _MIDDLE)
    for part in (numbers, numbers[(numbers >= low) & (numbers <= high)]):
        repeats, expected = _repeats(part)
        if _poisson_tail(repeats, expected) < _LEVEL / 2:
            return UnfitColumn(
                "identifier",
                f"{repeats} of {len(part)} values repeat an earlier one, where chance would repeat {expected:.0f}",
            )
    if len(np.unique(numbers)) == len(numbers) and _is_named_as_identifier(name):
        return UnfitColumn("identifier", f"none of {len(numbers)} values repeats, and its name says what it is")
    return None


def _repeats(numbers: NDArray[np.float64]) -> tuple[int, float]:
    """Return how many values repeat an earlier one, and how many would at least if they were drawn by chance."""
    distinct = np.unique(numbers).astype(np.int64)
    if len(distinct) < 2:
        return len(numbers) - len(distinct), 0.0
    count, step = len(numbers), int(np.gcd.reduce(np.diff(distinct)))
    range_ = float(distinct[-1] - distinct[0]) / step + 1
    return count - len(distinct), float(count + range_ * np.expm1(count * np.log1p(-1 / range_)))


def _poisson_tail(count: int, expected: float) -> float:
    from scipy.stats import poisson  # noqa: PLC0415 - takes a while to import

    return float(poisson.cdf(count, expected))


def _is_named_as_identifier(name: str) -> bool:
    words = [word.lower() for word in _NAME_WORD.findall(name)]
    return bool(words) and (words[-1] in _LAST_WORDS or words[0] in _FIRST_WORDS)

"""This module provides what the values of a column are, whatever its type says: numbers, or values to be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gauntlet.core.errors import DataError


def is_number(column: pd.Series) -> bool:
    """Say whether a column holds numbers; booleans are none, and missing values say nothing."""
    return pd.api.types.infer_dtype(column, skipna=True) in ("integer", "floating", "mixed-integer-float", "decimal")


def is_binary(column: pd.Series) -> bool:
    """Say whether a column holds nothing but 0 and 1, or booleans, and missing values."""
    return bool(column.dropna().isin([0, 1]).all())  # False and True are equal to 0 and 1


def as_numbers(column: pd.Series, name: str) -> pd.Series:
    """Return a column of numbers or booleans as float64, NaN where missing.

    Raises:
        DataError: If a value is no number, or infinite.
    """
    try:
        numbers = column.astype("float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} should hold numbers, and does not ({error})") from error
    if np.isinf(numbers).any():
        raise DataError(f"{name} holds infinite values")
    return numbers

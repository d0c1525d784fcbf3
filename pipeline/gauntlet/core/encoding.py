"""This module provides the encoding of a table's features into a model's matrix: learnt on training rows, kept as data.

Numbers, integers and booleans become one column each (booleans 0 and 1), missing values stay missing (NaN); a text
column becomes one 0/1 column for each of its frequent levels, so that an unknown or missing text is a row of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gauntlet.core.problem import Column
from gauntlet.core.reading import TOO_LARGE

MAXIMUM_LEVELS = 32


class EncodedColumn(BaseModel):
    """How one feature enters the matrix.

    Attributes:
        name: The feature.
        kind: Whether its values are numbers or texts.
        levels: The texts that have a column of their own, in order; empty for numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "text"]
    levels: tuple[str, ...] = ()


class Encoding(BaseModel):
    """The encoding of all features, in the order of the matrix's columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[EncodedColumn, ...]

    @property
    def matrix_columns(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        return tuple(
            name
            for column in self.columns
            for name in ([f"{column.name}={level}" for level in column.levels] if column.levels else [column.name])
        )

    def source_of(self, matrix_column: str) -> str:
        """Return the feature that a matrix column comes from."""
        if matrix_column in {column.name for column in self.columns}:
            return matrix_column
        return matrix_column.split("=", 1)[0]

    def shares(self, by_column: Sequence[float]) -> dict[str, float]:
        """Return what each feature counts, as shares that add up to 1, from what each matrix column counts.

        Where nothing counts at all no feature is ranked above another.

        Args:
            by_column: One number, not negative, for each of ``matrix_columns``.
        """
        counted = dict.fromkeys((column.name for column in self.columns), 0.0)
        for name, value in zip(self.matrix_columns, by_column, strict=True):
            counted[self.source_of(name)] += float(value)
        total = sum(counted.values())
        return {name: value / total if total else 1 / len(counted) for name, value in counted.items()}


def learn_encoding(frame: pd.DataFrame, columns: Sequence[Column]) -> Encoding:
    """Learn the encoding from training rows.

    Levels are ordered by falling frequency, then by name, so that the order of rows changes nothing.

    Args:
        frame: The training rows.
        columns: The features, in order.
    """
    return Encoding(columns=tuple(_learn_column(frame[column.name], column) for column in columns))


def _learn_column(values: pd.Series, column: Column) -> EncodedColumn:
    if column.kind != "text":
        return EncodedColumn(name=column.name, kind="number")
    counts = values.dropna().astype(str).value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
    # A text column without any value still takes a place in the matrix, always zero.
    levels = tuple(str(level) for level, _ in ordered[:MAXIMUM_LEVELS]) or ("",)
    return EncodedColumn(name=column.name, kind="text", levels=levels)


def encode(frame: pd.DataFrame, encoding: Encoding) -> NDArray[np.float32]:
    """Return the matrix of a frame: rows by ``encoding.matrix_columns``, float32, NaN where a number is missing.

    The packed model carries code that does the same from the encoding's JSON; a test holds the two together.

    Raises:
        KeyError: If the frame lacks a feature.
        ValueError: If a number is beyond what a 32-bit float holds.
    """
    parts: list[NDArray[np.float32]] = []
    for column in encoding.columns:
        values = frame[column.name]
        if column.kind == "number":
            numbers = pd.to_numeric(values, errors="raise").to_numpy(dtype=np.float32, na_value=np.nan)
            if np.isinf(numbers).any():
                raise ValueError(f"column {column.name} {TOO_LARGE}")
            parts.append(numbers)
        else:
            parts.extend((values == level).to_numpy(dtype=np.float32, na_value=0.0) for level in column.levels)
    return np.column_stack(parts) if parts else np.empty((len(frame), 0), dtype=np.float32)

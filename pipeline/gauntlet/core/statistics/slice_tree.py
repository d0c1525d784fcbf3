"""This module provides regions of rows: the leaves of a shallow regression tree, named by their conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TreeColumn:
    """A column that a tree may split.

    Attributes:
        name: The feature's name.
        values: One number a row; NaN where missing.
        sides: What the rows at 0 and the rows at 1 are called, where those are the only values; None for a number.
    """

    name: str
    values: NDArray[np.float64]
    sides: tuple[str, str] | None = None

    @property
    def has_missing(self) -> bool:
        """Whether a value is missing."""
        return bool(np.isnan(self.values).any())


@dataclass(frozen=True)
class _Condition:
    """What a path through the tree asks of one column.

    Attributes:
        low: Values must be greater.
        high: Values must not be greater.
        missing: Whether rows without a value take the path.
    """

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True


def regions(  # noqa: PLR0913 - what a tree is fitted to, and how, each by name
    columns: Sequence[TreeColumn],
    loss: NDArray[np.float64],
    searched: NDArray[np.bool_],
    *,
    depth: int,
    least: int,
    seed: int,
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the leaves of a regression tree of the rows' losses, by name, with the rows inside each.

    Args:
        columns: The columns that may be split.
        loss: One loss a row.
        searched: The rows that the tree is fitted to; all rows are then put into its leaves.
        depth: The tree's depth.
        least: The least number of searched rows in a leaf.
        seed: Decides between equally good splits.

    Returns:
        One name and one mask of all rows a leaf; nothing where no split is found.
    """
    from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415 - takes a while to import

    if not columns:
        return []
    matrix = np.column_stack([column.values for column in columns])
    model = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=max(1, least), random_state=seed)
    model.fit(matrix[searched], loss[searched])
    if model.get_n_leaves() < 2:
        return []
    leaf = model.apply(matrix)
    return [(_name(columns, conditions), leaf == node) for node, conditions in _paths(model.tree_, 0, {})]


def _paths(tree: Any, node: int, path: dict[int, _Condition]) -> Iterator[tuple[int, dict[int, _Condition]]]:
    """Yield each leaf below a node with the conditions on the way to it, by the column's place."""
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left == right:  # a leaf has no children
        yield node, path
        return
    place, threshold = int(tree.feature[node]), float(tree.threshold[node])
    to_left = bool(tree.missing_go_to_left[node])
    known = path.get(place, _Condition())
    below = replace(known, high=min(known.high, threshold), missing=known.missing and to_left)
    above = replace(known, low=max(known.low, threshold), missing=known.missing and not to_left)
    yield from _paths(tree, left, path | {place: below})
    yield from _paths(tree, right, path | {place: above})


def _name(columns: Sequence[TreeColumn], conditions: dict[int, _Condition]) -> str:
    return " and ".join(_words(columns[place], condition) for place, condition in sorted(conditions.items()))


def _words(column: TreeColumn, condition: _Condition) -> str:
    if column.sides is not None:
        words = column.sides[0] if condition.high < 1 else column.sides[1]
    else:
        low = [f"{column.name} > {condition.low:.6g}"] if condition.low > -np.inf else []
        high = [f"{column.name} <= {condition.high:.6g}"] if condition.high < np.inf else []
        words = " and ".join(low + high)
    return f"({words} or {column.name} is missing)" if column.has_missing and condition.missing else words

"""What each feature gains the booster."""

from __future__ import annotations

from typing import Any

import pytest

from gauntlet.core.encoding import EncodedColumn, Encoding
from gauntlet.stages.sweep import importances

pytestmark = pytest.mark.unit

ENCODING = Encoding(
    columns=(
        EncodedColumn(name="age", kind="number"),
        EncodedColumn(name="town", kind="text", levels=("Porto", "Braga")),
        EncodedColumn(name="height", kind="number"),
    )
)


class Gains:
    """A booster that knows its gains only."""

    def __init__(self, **gains: float) -> None:
        self.gains = gains

    def get_score(self, *, importance_type: str) -> dict[str, float]:
        assert importance_type == "total_gain"
        return self.gains


def booster(**gains: float) -> Any:
    return Gains(**gains)


def test_the_columns_of_one_feature_are_added_up_into_shares() -> None:
    assert importances(booster(f0=2.0, f1=3.0, f2=5.0), ENCODING) == {"age": 0.2, "town": 0.8, "height": 0.0}


def test_trees_without_splits_rank_no_feature_above_another() -> None:
    assert importances(booster(), ENCODING) == {"age": 1 / 3, "town": 1 / 3, "height": 1 / 3}

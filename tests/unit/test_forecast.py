"""The forecast of what a table's size lets the gates judge."""

from __future__ import annotations

import numpy as np
import pytest

from gauntlet.core.forecast import Forecast, forecast
from gauntlet.core.gate_rules import ModelRules
from gauntlet.core.statistics.delong import auc_estimate

pytestmark = pytest.mark.unit


def made(rows: int, positives: int, *, costs_set: bool = False) -> Forecast:
    return forecast(rows=rows, positives=positives, test_fraction=0.2, rules=ModelRules(), costs_set=costs_set)


def test_a_small_table_is_told_what_it_cannot_show_and_from_how_many_rows_it_could() -> None:
    first, can, cannot, folds, costs = made(891, 342).sentences()
    assert first == "891 rows, 38.4% positive; the test split gets about 178: 68 positive, 110 negative."
    assert can == "Can be judged: the AUC on test to ±0.07."
    assert cannot.startswith("Cannot be judged at this size: slices by region (from about 1,100 rows), a comparison")
    assert folds.startswith("The floor of the AUC is judged by five cross-fitted folds")
    assert costs.startswith("Costs are not set: decisions are reported, not judged")


def test_a_large_table_can_show_all() -> None:
    found = made(50_000, 15_000, costs_set=True)
    assert all(part.judged for part in found.parts)
    assert not found.cross_fitted
    assert len(found.sentences()) == 2


def test_too_few_rows_of_a_class_give_no_error_of_the_auc() -> None:
    found = made(400, 20)
    assert found.auc_error is None
    assert (found.parts[0].judged, found.parts[0].rows_needed) == (False, 1000)


def test_the_foretold_error_is_that_of_delong_on_such_rows() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    label = np.repeat([1, 0], [300, 700])
    scores = generator.normal(1.19 * label)  # an AUC of 0.8
    measured = auc_estimate(1 / (1 + np.exp(-scores)), label)
    found = made(5000, 1500)
    assert found.auc_error == pytest.approx(1.96 * measured.standard_error, rel=0.15)


def test_the_comparison_takes_the_margin_the_level_and_the_power_of_the_rules() -> None:
    def needed(**rules: object) -> int:
        found = forecast(rows=1000, positives=300, test_fraction=0.2, rules=ModelRules(**rules), costs_set=True)
        return found.parts[-1].rows_needed

    assert needed() == pytest.approx(2000, rel=0.2)
    assert needed(margins={"auc": 0.01}) == pytest.approx(4 * needed(), rel=0.1)
    assert needed(minimum_class_rows=300) == 5000
